"""The judge's side: what comes back from data computes what the student's model computed, layer by layer."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchinfo import summary

from autograder.engine.errors import EvidenceError
from autograder.models.capture import export
from autograder.models.capture.export import Method, export_model
from autograder.models.rebuild import RebuiltModel, pooling, predict, rebuild_model
from autograder.models.rebuild import StepKind as K
from tests.models import student_models as styles
from tests.models.rebuilding import agree, images, kinds, roundtrip, vary

pytestmark = pytest.mark.usefixtures("english")


@pytest.mark.parametrize("style", styles.STYLES)
def test_every_style_computes_the_same(style: str, tmp_path: Path) -> None:
    """Whatever way a model is written, the rebuilt one agrees with it; torchinfo counts the parameters it uses."""
    torch.manual_seed(0)
    model = styles.STYLES[style]()
    model = getattr(model, "_orig_mod", model)
    example = images(4, 1, 28, 28).to(next(model.parameters()).dtype)
    rebuilt = roundtrip(vary(model), example, tmp_path)
    assert agree(model, rebuilt, example)
    unused = {"Shared": 10_180, "WeightNormed": 4}.get(style, 0)  # fc.weight and unused; weight_norm's g, folded
    declared = sum(parameter.numel() for parameter in model.parameters())
    assert rebuilt.parameters_declared == declared
    counted = summary(rebuilt, input_data=[example], verbose=0).total_params
    assert counted == declared - unused


@pytest.mark.parametrize("method", [Method.MAKE_FX, Method.DISPATCH])
@pytest.mark.parametrize(
    "style", ["sequential", "Residual", "Regularized", "WritesIntoSlices", "Attention", "Autocast"]
)
def test_the_fall_backs_compute_the_same(
    method: Method, style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs of `make_fx` and of the recorder under autograd are rebuilt to the same outputs and the same real layers."""
    torch.manual_seed(0)
    model, example = vary(styles.STYLES[style]()), images(4, 1, 28, 28)
    preferred = roundtrip(model, example, tmp_path / "first")
    for other in set(Method) - {method}:
        monkeypatch.setitem(export.TRACERS, other, refuse)
    assert export_model(model, example, tmp_path / "second").method is method
    rebuilt = rebuild_model(tmp_path / "second")
    assert agree(model, rebuilt, example)
    assert layers(rebuilt) == layers(preferred)


def refuse(*_arguments: object) -> Any:
    """Stand in for a tracer that fails."""
    raise RuntimeError("switched off")


def layers(rebuilt: RebuiltModel) -> list[str]:
    """The real layers by class; below autograd dropout leaves no trace in evaluation mode."""
    names = [type(step.layer).__name__ for step in rebuilt.steps if step.layer is not None]
    return [name for name in names if not name.startswith("Dropout")]


def test_the_recorder_shows_dropout_in_training_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below autograd dropout is a random mask: one number a map is Dropout2d, one a value is Dropout."""
    for other in set(Method) - {Method.DISPATCH}:
        monkeypatch.setitem(export.TRACERS, other, refuse)
    export_model(styles.Regularized(), images(4, 1, 28, 28), tmp_path)
    found = kinds(rebuild_model(tmp_path, train=True))
    assert [kind for kind in found if kind in {K.DROPOUT, K.DROPOUT2D, K.BATCH_NORM}] == [
        K.BATCH_NORM,
        K.DROPOUT2D,
        K.DROPOUT,
    ]


def test_steps_show_the_data_flow(tmp_path: Path) -> None:
    """Each step names what it reads, its shape, its layer: a residual sum reads the block's end and its beginning."""
    rebuilt = roundtrip(styles.Residual(), images(4, 1, 28, 28), tmp_path)
    assert kinds(rebuilt) == [K.CONV, K.ACTIVATION, K.CONV, K.OTHER, K.ACTIVATION, K.GLOBAL_POOL, K.FLATTEN, K.LINEAR]
    conv1, relu, conv2, total, *_, linear = rebuilt.steps
    assert conv1.inputs == (rebuilt.input,)
    assert total.inputs == (conv2.name, relu.name)
    assert isinstance(conv2.layer, nn.Conv2d)
    assert (conv1.output_shape, linear.output_shape) == ((4, 8, 28, 28), (4, 10))
    assert linear.name == rebuilt.output


def test_recorded_maps_are_those_before_an_activation_in_place(tmp_path: Path) -> None:
    """`F.relu_` after a convolution does not overwrite the map that a grader's hook kept."""
    rebuilt = roundtrip(styles.Residual(), images(4, 1, 28, 28), tmp_path)
    kept: list[Tensor] = []
    conv = rebuilt.steps[0].layer
    assert conv is not None
    conv.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    rebuilt(images(4, 1, 28, 28))
    assert kept[0].min() < 0


def test_unused_layers_are_absent_and_a_layer_used_twice_is_one(tmp_path: Path) -> None:
    """Only what lies on the path from input to output is rebuilt; shared weights make one module."""
    rebuilt = roundtrip(styles.Shared(), images(4, 1, 28, 28), tmp_path)
    convs = [step.layer for step in rebuilt.steps if step.kind is K.CONV]
    assert len(convs) == 3
    assert convs[1] is convs[2]
    assert convs[0] is not convs[1]
    assert all(parameter.numel() != 10_000 for parameter in rebuilt.parameters())


def test_the_train_graph_has_the_layers_of_training(tmp_path: Path) -> None:
    """`rebuild_model(train=True)` shows dropout under `if self.training`; its layers are in training mode and stay so."""
    export_model(styles.TrainingBranch(), images(4, 1, 28, 28), tmp_path)
    trained = rebuild_model(tmp_path, train=True)
    drop = next(step.layer for step in trained.steps if step.kind is K.DROPOUT2D)
    assert isinstance(drop, nn.Dropout2d)
    assert trained.eval()
    assert drop.training
    assert K.DROPOUT2D not in kinds(rebuild_model(tmp_path))


def test_a_layer_keeps_the_settings_of_its_operation(tmp_path: Path) -> None:
    """Stride, padding, dilation, groups, eps and probabilities come through to the real layers."""
    conv = nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 4), dilation=(1, 2), groups=2, bias=False)
    pools = nn.MaxPool2d((3, 2), (2, 2), (1, 1), (1, 1)), nn.AvgPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"), conv, nn.BatchNorm2d(8, eps=0.1), nn.Dropout2d(0.3), *pools
    )
    rebuilt = roundtrip(model, images(2, 1, 16, 16), tmp_path)
    assert [repr(step.layer) for step in rebuilt.steps] == [repr(layer.eval()) for layer in model]


def test_quick_pooling_gives_what_pytorchs_does() -> None:
    """To the last bit, infinities and NaN included, in memory of its own: small windows, large ones, any stride."""
    chance = torch.Generator().manual_seed(0)
    for layer in (nn.MaxPool2d, nn.AvgPool2d):
        for kernel, stride in product(((1, 1), (2, 2), (2, 1), (3, 2), (4, 4), (5, 2)), ((1, 1), (2, 2), (3, 1))):
            for dtype in (torch.float32, torch.float64, torch.bfloat16):
                maps = torch.randn(3, 5, 11, 9, generator=chance).to(dtype)
                for special in (torch.inf, -torch.inf, torch.nan):
                    maps[torch.rand(maps.shape, generator=chance) < 0.02] = special
                before, quick = maps.clone(), getattr(pooling, layer.__name__)(kernel, stride)
                given = quick(maps)
                assert torch.equal(given.nan_to_num(7), layer(kernel, stride)(maps).nan_to_num(7)), (kernel, stride)
                given.zero_()
                assert torch.equal(maps.nan_to_num(7), before.nan_to_num(7))


def test_prediction_goes_in_batches_of_the_exported_size(tmp_path: Path) -> None:
    """Ten images through a model of batch four give the ten rows that the live model gives, in order."""
    model = styles.Base().eval()
    rebuilt = roundtrip(model, images(4, 1, 28, 28), tmp_path)
    fresh = images(10, 1, 28, 28, seed=2)
    with torch.no_grad():
        expected = model(fresh)
    assert rebuilt.batch_size == 4
    assert torch.allclose(predict(rebuilt, fresh), expected, atol=1e-5)
    assert torch.allclose(predict(rebuilt, fresh[:1]), expected[:1], atol=1e-5)


def test_another_batch_size_is_refused(tmp_path: Path) -> None:
    """The batch is fixed: a model may branch on it."""
    rebuilt = roundtrip(styles.Base(), images(4, 1, 28, 28), tmp_path)
    with pytest.raises(EvidenceError, match=r"takes \(4, 1, 28, 28\), not \(5, 1, 28, 28\)"):
        rebuilt(images(5, 1, 28, 28))
