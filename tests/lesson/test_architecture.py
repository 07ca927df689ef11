"""What graders ask of a model's layers, and what two models have in common; read from what they compute."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.lesson.graders.layer_flow import (
    LayerFlow,
    changed_parameters,
    convolutions,
    differences,
    regularizers,
)
from autograder.models.rebuild import StepKind, rebuild_model
from tests.models.rebuilding import images, roundtrip, vary

EXAMPLE = images(3, 1, 12, 12)
Way = Callable[[Tensor], Tensor]


class Written(nn.Module):
    """Two convolutions with something after each, and a linear layer."""

    def __init__(self, act: Way = F.relu, head: Way | None = None, features: int = 4, last: Way | None = None) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.act, self.last, self.head = act, last or act, head or (lambda x: x.mean((2, 3)))
        self.out = nn.Linear(features, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        scores: Tensor = self.out(self.head(self.last(self.two(self.act(self.one(x))))))
        return scores


class Excited(Written):
    """A squeeze-and-excitation block after the last convolution."""

    def __init__(self, head: Way, features: int) -> None:
        super().__init__(head=head, features=features)
        self.squeeze = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        x = F.relu(self.two(F.relu(self.one(x))))
        scores: Tensor = self.out(self.head(x * self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid()))
        return scores


def flow_of(model: nn.Module, folder: Path, example: Tensor = EXAMPLE) -> LayerFlow:
    """Write the model as data, read it back, and look at its flow."""
    return LayerFlow(roundtrip(model, example, folder))


def same(x: Tensor) -> Tensor:
    """Do nothing."""
    return x


ACTIVATIONS: dict[str, Way] = {
    "relu": F.relu,
    "in place": lambda x: F.relu(x, inplace=True),
    "clamp": lambda x: x.clamp(min=0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "swish by hand": lambda x: x * torch.sigmoid(x),
    "mish by hand": lambda x: x * F.softplus(x).tanh(),
    "pooling before it": lambda x: F.relu(F.max_pool2d(x, 2, 1)),
    "pooling after it": lambda x: F.avg_pool2d(F.elu(x), 2, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_ends_a_group(name: str, tmp_path: Path) -> None:
    """Two convolutions, each followed by a nonlinearity however it is written, are two groups."""
    assert flow_of(Written(ACTIVATIONS[name]), tmp_path).groups() == 2


@pytest.mark.parametrize(
    "act", [same, lambda x: F.max_pool2d(x, 2), lambda x: 2 * x + 1], ids=["none", "max", "affine"]
)
def test_what_is_no_activation_ends_no_group(act: Way, tmp_path: Path) -> None:
    """Convolutions in a row are one group, whatever pools or scales between them."""
    assert flow_of(Written(act, last=F.relu), tmp_path).groups() == 1


def test_a_residual_sum_keeps_both_groups(tmp_path: Path) -> None:
    """A second convolution added to its input and activated is a group of its own."""
    model = Written(lambda x: F.pad(F.relu(x), (1, 1, 1, 1)), last=lambda x: F.relu(x + x.flip(3)))
    assert flow_of(model, tmp_path).groups() == 2


AVERAGED: dict[str, Way] = {
    "two axes": lambda x: x.mean((2, 3)),
    "one after the other": lambda x: x.mean(-1).mean(-1),
    "kept axes": lambda x: x.mean(3, keepdim=True).mean(2, keepdim=True).flatten(1),
    "pixels in a row": lambda x: x.view(x.size(0), x.size(1), -1).mean(2),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "adaptive, indexed": lambda x: F.adaptive_avg_pool2d(x, (1, 1))[:, :, 0, 0],
    "a kernel as large as the map": lambda x: F.avg_pool2d(x, x.shape[-1]).squeeze(),
    "sum": lambda x: x.sum((2, 3)) / 64,
    "channels last": lambda x: x.permute(0, 2, 3, 1).mean((1, 2)),
    "einsum": lambda x: torch.einsum("bchw->bc", x) / 64,
    "in one dimension": lambda x: F.adaptive_avg_pool1d(x.flatten(2), 1)[..., 0],
}


@pytest.mark.parametrize("name", AVERAGED)
def test_global_averaging_is_seen_however_it_is_written(name: str, tmp_path: Path) -> None:
    """The classifier reads an average of the last activation's map."""
    flow = flow_of(Written(head=AVERAGED[name]), tmp_path)
    (classifier,) = flow.classifiers()
    average = flow.averaging(classifier)
    assert average is not None
    assert flow.mapped(average) == flow.activations()[-1]


FLATTENED: dict[str, tuple[Way, int]] = {
    "flatten": (lambda x: x.flatten(1), 256),
    "to 2×2 pixels": (lambda x: F.adaptive_avg_pool2d(x, 2).reshape(len(x), -1), 16),
    "maximum": (lambda x: x.amax((2, 3)), 4),
    "over channels": (lambda x: x.mean(1).flatten(1), 64),
    "rows alone": (lambda x: x.mean(2).flatten(1), 32),
    "computed, not used": (lambda x: (x.mean((2, 3)), x.flatten(1))[1], 256),
}


@pytest.mark.parametrize("name", FLATTENED)
def test_what_is_not_global_averaging_is_not_taken_for_it(name: str, tmp_path: Path) -> None:
    """Flattening, a maximum, or an average over other axes than height and width together."""
    head, features = FLATTENED[name]
    flow = flow_of(Written(head=head, features=features), tmp_path)
    assert flow.averaging(flow.classifiers()[0]) is None


def test_averaging_inside_a_block_is_not_the_classifiers(tmp_path: Path) -> None:
    """Squeeze and excitation averages on the side: the map still reaches the classifier as it is."""
    flat = flow_of(Excited(lambda x: x.flatten(1), 256), tmp_path / "flat")
    averaged = flow_of(Excited(lambda x: x.mean((2, 3)), 4), tmp_path / "averaged")
    assert flat.averaging(flat.classifiers()[0]) is None
    assert averaged.averaging(averaged.classifiers()[0]) is not None
    source = flat.flattened(flat.classifiers()[0])
    assert source is not None
    assert source.output_shape == (3, 4, 8, 8)


def test_only_linear_layers_behind_the_last_convolution_are_classifiers(tmp_path: Path) -> None:
    """Of a linear layer before, two after the convolutions, the two."""
    head = nn.Sequential(nn.Flatten(), nn.Linear(256, 5), nn.ReLU(), nn.Linear(5, 4))
    model = nn.Sequential(nn.Linear(12, 12), Written(head=head))
    layers = [step.layer for step in flow_of(model, tmp_path).classifiers()]
    assert [layer.in_features for layer in layers if isinstance(layer, nn.Linear)] == [256, 5, 4]


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


class Regular(Written):
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
    "batch norm of the scores": (nn.Sequential(Written(), nn.BatchNorm1d(10)), set()),
    "dropout of pixels in a row": (Written(head=lambda x: F.dropout1d(x.flatten(2), 0.2).mean(2)), set()),
    "group norm": (Regular(nn.GroupNorm(2, 4)), set()),
}


@pytest.mark.parametrize("name", REGULAR)
def test_regularizers_work_on_maps(name: str, tmp_path: Path) -> None:
    """Batch normalisation and dropout of whole channels count where they see maps, in eval mode or in training."""
    model, expected = REGULAR[name]
    flows = [flow_of(vary(model), tmp_path), LayerFlow(rebuild_model(tmp_path, train=True), training=True)]
    assert {kind for flow in flows for kind in regularizers(flow)} == expected
