"""What graders ask of a model's data flow: groups, classifiers, averaging; read from what it computes."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.data_flow import Spelt, Way, flow_of


class Excited(Spelt):
    """A squeeze-and-excitation block after the last convolution."""

    def __init__(self, head: Way, features: int) -> None:
        super().__init__(head=head, features=features)
        self.squeeze = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        x = F.relu(self.two(F.relu(self.one(x))))
        scores: Tensor = self.out(self.head(x * self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid()))
        return scores


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
    assert flow_of(Spelt(ACTIVATIONS[name]), tmp_path).groups() == 2


@pytest.mark.parametrize(
    "act", [same, lambda x: F.max_pool2d(x, 2), lambda x: 2 * x + 1], ids=["none", "max", "affine"]
)
def test_what_is_no_activation_ends_no_group(act: Way, tmp_path: Path) -> None:
    """Convolutions in a row are one group, whatever pools or scales between them."""
    assert flow_of(Spelt(act, last=F.relu), tmp_path).groups() == 1


def test_a_residual_sum_keeps_both_groups(tmp_path: Path) -> None:
    """A second convolution added to its input and activated is a group of its own."""
    model = Spelt(lambda x: F.pad(F.relu(x), (1, 1, 1, 1)), last=lambda x: F.relu(x + x.flip(3)))
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
    flow = flow_of(Spelt(head=AVERAGED[name]), tmp_path)
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
    flow = flow_of(Spelt(head=head, features=features), tmp_path)
    assert not flow.averaged(flow.classifiers()[0])


def test_averaging_inside_a_block_is_not_the_classifiers(tmp_path: Path) -> None:
    """Squeeze and excitation averages on the side: the map still reaches the classifier as it is."""
    flat = flow_of(Excited(lambda x: x.flatten(1), 256), tmp_path / "flat")
    averaged = flow_of(Excited(lambda x: x.mean((2, 3)), 4), tmp_path / "averaged")
    assert [flow.averaged(flow.classifiers()[0]) for flow in (flat, averaged)] == [False, True]
    source = flat.flattened(flat.classifiers()[0])
    assert source is not None
    assert source.output_shape == (3, 4, 8, 8)


def test_only_linear_layers_behind_the_last_convolution_are_classifiers(tmp_path: Path) -> None:
    """Of a linear layer before, two after the convolutions, the two."""
    head = nn.Sequential(nn.Flatten(), nn.Linear(256, 5), nn.ReLU(), nn.Linear(5, 4))
    model = nn.Sequential(nn.Linear(12, 12), Spelt(head=head))
    layers = [step.layer for step in flow_of(model, tmp_path).classifiers()]
    assert [layer.in_features for layer in layers if isinstance(layer, nn.Linear)] == [256, 5, 4]
