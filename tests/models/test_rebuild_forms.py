"""However a student spells pooling, flatten, an activation or a change in place, the judge sees what it computes."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.models.rebuild import StepKind as K
from tests.models.rebuilding import agree, images, kinds, roundtrip


class Written(nn.Module):
    """A convolution, then whatever is being tested, then a linear layer."""

    def __init__(self, middle: Callable[[Tensor], Tensor], width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.middle = middle
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 10)."""
        return self.fc(self.middle(self.conv(x)))  # type: ignore[no-any-return]


GLOBAL_POOLS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.mean((2, 3)),
    lambda x: x.mean(dim=[-1, -2], keepdim=True).flatten(1),
    lambda x: x.mean(3).mean(2),
    lambda x: x.flatten(2).mean(-1),
    lambda x: x.view(x.size(0), x.size(1), -1).mean(2),
    lambda x: F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1),
    lambda x: nn.AdaptiveAvgPool2d((1, 1))(x).squeeze(),
    lambda x: F.avg_pool2d(x, x.shape[2:]).reshape(-1, 4),
    lambda x: nn.AvgPool2d(8)(x).squeeze(-1).squeeze(-1),
]


@pytest.mark.parametrize("pool", GLOBAL_POOLS)
def test_global_average_pooling_is_seen_however_it_is_written(pool: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """As a layer, a function, a mean over axes at once or one by one: it is one global pooling step."""
    model, example = Written(pool), images(4, 1, 8, 8)
    rebuilt = roundtrip(model, example, tmp_path)
    assert agree(model, rebuilt, example)
    assert kinds(rebuilt).count(K.GLOBAL_POOL) == 1
    assert kinds(rebuilt).count(K.AVG_POOL) == 0


FLATTENS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.flatten(1),
    lambda x: torch.flatten(x, start_dim=1),
    nn.Flatten(),
    lambda x: x.view(x.size(0), -1),
    lambda x: x.reshape(len(x), 256),
    lambda x: x.view(-1, 4 * 8 * 8),
]


@pytest.mark.parametrize("flatten", FLATTENS)
def test_flatten_is_seen_however_it_is_written(flatten: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """As a layer, a function or a view: it is one flatten step, and no pooling."""
    rebuilt = roundtrip(Written(flatten, 256), images(4, 1, 8, 8), tmp_path)
    assert kinds(rebuilt) == [K.CONV, K.FLATTEN, K.LINEAR]


ACTIVATIONS: list[Callable[[Tensor], Tensor]] = [
    torch.relu,
    F.relu_,
    F.relu6,
    F.leaky_relu,
    F.elu,
    F.celu,
    F.selu,
    F.gelu,
    F.silu,
    F.mish,
    F.hardswish,
    F.hardsigmoid,
    F.hardtanh,
    F.softplus,
    F.logsigmoid,
    F.softshrink,
    torch.tanh,
    torch.sigmoid,
    nn.PReLU(4),
    nn.Threshold(0.1, 0.0),
    lambda x: x.clamp(min=0),
    lambda x: torch.clamp(x, 0, 6),
    lambda x: torch.maximum(x, torch.zeros_like(x)),
    lambda x: torch.where(x > 0, x, 0.0),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_seen_however_they_are_written(activation: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """Every activation of `torch.nn`, and a ReLU written by hand, is an activation step with the same outputs."""
    model, example = Written(lambda x: activation(x).mean((2, 3))), images(4, 1, 8, 8)
    if isinstance(activation, nn.Module):
        model.activation = activation
    rebuilt = roundtrip(model, example, tmp_path)
    assert agree(model, rebuilt, example)
    assert [kind for kind in kinds(rebuilt) if kind is not K.OTHER] == [
        K.CONV,
        K.ACTIVATION,
        K.GLOBAL_POOL,
        K.FLATTEN,
        K.LINEAR,
    ]


class Program(nn.Module):
    """Ten random steps on shared memory: views, slices, changes in place, and reads of what came before."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.weight = nn.Parameter(torch.ones(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 4) to (B, 10)."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        values = [chance.choice([x, x * 1]), x + self.weight]
        for _ in range(10):
            one, other = chance.choice(values), chance.choice(values)
            values.append(chance.choice(MOVES)(one, other))
        return sum(values[1:], values[0]).flatten(1)[:, :10]


def fill(one: Tensor, _other: Tensor) -> Tensor:
    """Write into a slice."""
    one[:, :1] = 0.5
    return one


MOVES: list[Callable[[Tensor, Tensor], Tensor]] = [
    fill,
    lambda one, _: one.view(one.shape),
    lambda one, _: one[:, :, :],
    lambda one, _: one.add_(0.25),
    lambda one, _: one[:, 1:].mul_(2).sum() + one,
    lambda one, other: one.mul_(other.clone()),
    lambda one, _: torch.sigmoid_(one),
    lambda one, other: torch.relu_(one - other),
    lambda one, other: one + other,
    lambda one, _: one.flatten(1).view(one.shape),
    lambda one, _: F.dropout(one, 0.5, training=False),
]


@pytest.mark.parametrize("seed", range(20))
def test_changes_in_place_are_seen_through_every_view(seed: int, tmp_path: Path) -> None:
    """Random programs on shared memory compute the same, twice, and leave the images they are given alone."""
    model, example = Program(seed), images(2, 3, 4)
    rebuilt = roundtrip(model, example, tmp_path)
    fresh = images(2, 3, 4, seed=3)
    with torch.no_grad():
        expected = model(fresh.clone())
        assert torch.allclose(rebuilt(fresh), expected, atol=1e-5)
        assert torch.allclose(rebuilt(fresh), expected, atol=1e-5)
