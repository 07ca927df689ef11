"""A training graph is used only where it is the model's own."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.lesson.measure import same_in_eval
from autograder.models.capture.export import export_model
from autograder.models.rebuild import StepKind, rebuild_model


class Net(nn.Module):
    """A convolution, batch norm, dropout; `more` changes what is computed in training."""

    def __init__(self, more: str = "") -> None:
        super().__init__()
        self.more = more
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)
        self.drop, self.last = nn.Dropout2d(0.3), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores (B, 10)."""
        x = F.relu(self.norm(self.conv(x)))
        if self.training:
            x = self.drop(x)
        if self.training and self.more == "noise":
            x = x + 0.1 * torch.randn_like(x)
        x = self.last(x.mean((2, 3)))
        scores: Tensor = self.out(x)
        return 2 * scores if self.training and self.more == "doubled" else scores


def exported(folder: Path, net: nn.Module) -> Path:
    """Write a model down as the probe does."""
    export_model(net, torch.randn(4, 1, 28, 28), folder)
    return folder


def test_dropout_and_batch_norm_are_no_difference(tmp_path: Path) -> None:
    """Dropout under `if self.training` is the model's own, and its layers are back in training mode afterwards."""
    net = Net()
    nn.init.ones_(net.norm.get_buffer("running_mean"))
    trained = rebuild_model(exported(tmp_path, net), train=True)
    assert same_in_eval(trained, rebuild_model(tmp_path))
    layers = [step.layer for step in trained.steps if step.kind in {StepKind.BATCH_NORM, StepKind.DROPOUT2D}]
    assert [layer.training for layer in layers if layer is not None] == [True, True]


@pytest.mark.parametrize("more", ["noise", "doubled"])
def test_what_else_differs_in_training_proves_nothing(more: str, tmp_path: Path) -> None:
    """Noise of its own, or another computation: such a graph is not taken for the model."""
    assert not same_in_eval(rebuild_model(exported(tmp_path, Net(more)), train=True), rebuild_model(tmp_path))


def test_another_models_training_graph_is_refused(tmp_path: Path) -> None:
    """A graph of a copy with other weights, put in the place of the model's own."""
    net = Net()
    other = copy.deepcopy(net)
    nn.init.normal_(other.conv.weight)
    forged = rebuild_model(exported(tmp_path / "other", other), train=True)
    assert not same_in_eval(forged, rebuild_model(exported(tmp_path / "own", net)))
