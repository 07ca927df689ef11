"""What two models have in common and what differs: convolutions, layers, what regularizes; read from what they compute."""

from pathlib import Path

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.lesson.graders.architecture import Flow, changed_parameters, convolutions, differences, regularizers
from autograder.models.rebuild import StepKind, rebuild_model
from tests.models.data_flow import EXAMPLE, Spelt, flow_of
from tests.models.rebuilding import vary

CONVOLUTIONS: dict[str, tuple[nn.Module, list[str]]] = {
    "defaults": (nn.Conv2d(1, 4, 3), []),
    "every one": (nn.Conv2d(1, 4, 3, 2, 1, 2), ["stride", "padding", "dilation"]),
    "along one axis": (nn.Conv2d(1, 4, 3, stride=(1, 2), dilation=(2, 1)), ["stride", "dilation"]),
    "same": (nn.Conv2d(1, 4, 3, padding="same"), ["padding"]),
    "same, even kernel": (nn.Conv2d(1, 4, 2, padding="same"), ["padding"]),
    "same, one pixel": (nn.Conv2d(1, 4, 1, padding="same"), []),
    "valid": (nn.Conv2d(1, 4, 3, padding="valid"), []),
    "reflect": (nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect", stride=2), ["stride", "padding"]),
    "circular": (nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"), ["padding"]),
    "padded before": (nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(1, 4, 3, dilation=2)), ["padding", "dilation"]),
    "transposed": (nn.ConvTranspose2d(1, 4, 3, stride=2), ["stride"]),
    "weight norm": (nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3, stride=2)), ["stride"]),
    "pooling's own": (nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(3, stride=2, padding=1)), []),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_changed_parameters_are_those_of_the_convolutions(name: str, tmp_path: Path) -> None:
    """What differs from `nn.Conv2d`'s defaults is named; pooling's parameters are not asked."""
    layer, changed = CONVOLUTIONS[name]
    assert changed_parameters(flow_of(nn.Sequential(layer, nn.ReLU()), tmp_path)) == changed


def test_convolutions_of_any_kind_are_no_crash(tmp_path: Path) -> None:
    """One in one dimension is listed; one whose weights the image decides is left out."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Conv1d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            own = F.conv2d(x, x[:2, :, :3, :3]).flatten(1)[:, :5]
            return own + F.relu(self.line(x.flatten(2))).flatten(1)[:, :5]

    assert [str(layer) for layer in convolutions(flow_of(Odd(), tmp_path))] == ["1→2, 3"]


def layers(*more: nn.Module, act: type[nn.Module] = nn.ReLU, filters: int = 4, width: int = 5) -> nn.Module:
    """A small network, and what else there is in it."""
    head = (nn.Flatten(), nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, 10))
    model = nn.Sequential(nn.Conv2d(1, filters, 3), act(), *more, *head).eval()
    model(EXAMPLE)
    return vary(model)


DIFFERENT = {
    "nothing": (layers(), []),
    "pooling": (layers(nn.MaxPool2d(2)), []),
    "filters": (layers(filters=6), ["Conv2d"]),
    "a hidden layer's width": (layers(width=6), ["Linear"]),
    "the activation": (layers(act=nn.Tanh), ["ReLU", "Tanh"]),
    "dropout and norm": (layers(nn.Dropout2d(), nn.BatchNorm2d(4)), ["BatchNorm2d", "Dropout2d"]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_differences_name_the_layers(name: str, tmp_path: Path) -> None:
    """All but pooling, and the width of the flattened map that follows from it, is a difference."""
    model, expected = DIFFERENT[name]
    assert differences(flow_of(model, tmp_path / "one"), flow_of(layers(), tmp_path / "base")) == expected


class Regular(Spelt):
    """Something after the second convolution, in training or always."""

    def __init__(self, layer: nn.Module, always: bool = True) -> None:
        super().__init__()
        self.layer, self.always = layer, always

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        x = F.relu(self.two(F.relu(self.one(x))))
        scores: Tensor = self.out((self.layer(x) if self.always or self.training else x).mean((2, 3)))
        return scores


NORM, DROP = StepKind.BATCH_NORM, StepKind.DROPOUT2D
REGULAR: dict[str, tuple[nn.Module, set[StepKind]]] = {
    "batch norm": (Regular(nn.BatchNorm2d(4)), {NORM}),
    "without statistics": (Regular(nn.BatchNorm2d(4, track_running_stats=False)), {NORM}),
    "dropout of maps": (Regular(nn.Dropout2d(0.2)), {DROP}),
    "only in training": (Regular(nn.Dropout2d(0.2), always=False), {DROP}),
    "both, the norm always": (Regular(nn.Sequential(nn.BatchNorm2d(4), nn.Dropout2d())), {NORM, DROP}),
    "plain dropout": (Regular(nn.Dropout(0.2)), set()),
    "batch norm of the scores": (nn.Sequential(Spelt(), nn.BatchNorm1d(10)), set()),
    "dropout of pixels in a row": (Spelt(head=lambda x: F.dropout1d(x.flatten(2), 0.2).mean(2)), set()),
    "group norm": (Regular(nn.GroupNorm(2, 4)), set()),
}


@pytest.mark.parametrize("name", REGULAR)
def test_regularizers_work_on_maps(name: str, tmp_path: Path) -> None:
    """Batch normalisation and dropout of whole channels count where they see maps, in eval mode or in training."""
    model, expected = REGULAR[name]
    flows = [flow_of(vary(model), tmp_path), Flow(rebuild_model(tmp_path, train=True), training=True)]
    assert {kind for flow in flows for kind in regularizers(flow)} == expected
