"""What the makers of layers share: the tensors they are given, the layers they return, weights put into place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .activations import NotALayerError
from .steps import StepKind

MAX_SIZE = 4_096  # of a kernel, stride, padding or dilation

Sizes = int | Sequence[int]


@dataclass(frozen=True)
class Operand:
    """A tensor argument: a stand-in with its shape and dtype, its value where it is a weight, and what made it."""

    name: str
    sample: Tensor
    weight: Tensor | None = None
    op: str = ""
    first: "Operand | None" = None
    axes: Any = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, batch first."""
        return tuple(self.sample.shape)


@dataclass(frozen=True)
class Layers:
    """Layers that one after another compute the operation from the value `source`."""

    source: Operand
    layers: tuple[tuple[StepKind, nn.Module], ...]


def one(source: Operand, kind: StepKind, layer: nn.Module) -> Layers:
    """Return the single layer that computes the operation."""
    return Layers(source, ((kind, layer),))


def assign(layer: nn.Module, **weights: Operand | Tensor | None) -> nn.Module:
    """Give a layer made on the meta device its weights; shared tensors stay shared."""
    for name, weight in weights.items():
        tensor = weight.weight if isinstance(weight, Operand) else weight
        if tensor is None and weight is not None:
            raise NotALayerError
        if name in dict(layer.named_buffers(recurse=False)) or tensor is None:
            setattr(layer, name, tensor)
        else:
            setattr(layer, name, tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, False))
    return layer


def sizes(value: Sizes, rank: int, least: int) -> tuple[int, ...]:
    """Spread a size over the map's axes and keep it within reason."""
    sizes = (value,) * rank if isinstance(value, int) else tuple(value) * (rank if len(value) == 1 else 1)
    if len(sizes) != rank or not all(type(size) is int and least <= size <= MAX_SIZE for size in sizes):
        raise ValueError(f"a kernel's sizes are {str(value)[:40]}")
    return sizes
