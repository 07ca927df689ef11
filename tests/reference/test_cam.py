from pathlib import Path

import pytest
import torch
from matplotlib.image import imread
from torch import nn

from reference.__main__ import save_curves
from reference.cam import cam, save_cams
from reference.trainer import TrainingHistory
from reference.zoo import BASELINE, EXPERIMENTS, GAP, Experiment, Head, build

WITH_GAP = [e for e in EXPERIMENTS if e.architecture.head is Head.GAP]
IMAGE = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("experiment", WITH_GAP, ids=lambda experiment: experiment.name)
def test_the_maps_mean_is_the_classs_score(experiment: Experiment) -> None:
    """Zhou et al. 2016, equation 2: averaged over x and y, M_c is the score of c without bias."""
    model = build(experiment.architecture).eval()
    with torch.no_grad():
        scores = model(IMAGE.unsqueeze(0))[0]
    for index in (0, 9):
        activation = cam(model, IMAGE, index)
        assert activation.ndim == 2
        expected = scores[index] - model.classifier.bias[index]
        torch.testing.assert_close(activation.mean(), expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_map_shows_where_the_class_is() -> None:
    """A network that only sees bright pixels is activated where the pixel is, and nowhere else."""
    see, decide = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(1, 2)
    with torch.no_grad():
        see.weight.fill_(1.0)
        decide.weight.fill_(1.0)
    model = nn.Sequential(see, nn.AdaptiveAvgPool2d(1), nn.Flatten(), decide)
    image = torch.zeros(1, 6, 7)
    image[0, 2, 5] = 1.0
    assert torch.equal(cam(model, image, 1), image[0])


def test_the_model_stays_as_it_was() -> None:
    """No hook is left, each layer keeps its mode, no gradient appears, even after an error."""
    model = build(GAP.architecture)
    for image in (IMAGE, torch.rand(2, 28, 28)):
        try:
            cam(model, image, 0)
        except RuntimeError:
            assert image.shape[0] == 2
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(weights.grad is None for weights in model.parameters())


@pytest.mark.parametrize("index", [-1, 10])
def test_classes_that_do_not_exist_are_refused(index: int) -> None:
    """Neither -1 nor 10 is one of ten classes."""
    with pytest.raises(ValueError, match=f"no class {index} among 10"):
        cam(build(GAP.architecture), IMAGE, index)


def test_networks_without_global_average_pooling_are_refused() -> None:
    """The baseline flattens, so it has no class activation map."""
    with pytest.raises(ValueError, match="one global average pooling and one linear layer"):
        cam(build(BASELINE.architecture), IMAGE, 0)


def test_plots_are_written(tmp_path: Path) -> None:
    """Curves of two models and maps of three images become PNG files that are not blank."""
    history = TrainingHistory((2.0, 1.0), (2.1, 1.2), (0.3, 0.6))
    save_curves({"one": history, "two": history}, tmp_path / "new" / "curves.png")
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(6))
    save_cams(build(GAP.architecture), images, [str(i) for i in range(10)], tmp_path / "cam.png")
    for path in (tmp_path / "new" / "curves.png", tmp_path / "cam.png"):
        assert imread(path).std() > 0.05
