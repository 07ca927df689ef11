"""What two of a student's models have in common: their convolutions and layers, read from what they compute."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from autograder.graders.flow import Flow
from autograder.lift import Step, StepKind

Pair = tuple[int, ...]
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}


@dataclass(frozen=True)
class Convolution:
    """A convolution's parameters, but for its bias: batch normalisation after it makes that pointless."""

    in_channels: int
    out_channels: int
    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def __str__(self) -> str:
        """As a student would say it: 1→16, 3×3."""
        return f"{self.in_channels}→{self.out_channels}, {'×'.join(map(str, self.kernel_size))}"


def convolutions(flow: Flow) -> list[Convolution]:
    """Return the convolutions between input and output, in order."""
    return [_convolution(step) for step in flow.of(StepKind.CONV)]


def _convolution(step: Step) -> Convolution:
    layer = step.layer
    assert isinstance(layer, nn.Conv2d)
    padding = layer.padding
    if padding == "valid":
        padding = (0, 0)
    elif isinstance(padding, str):
        padding = tuple(d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    return Convolution(
        layer.in_channels,
        layer.out_channels,
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(padding),
        tuple(layer.dilation),
        layer.groups,
    )


def changed_parameters(flow: Flow) -> list[str]:
    """Return which of stride, padding, dilation some convolution has away from `nn.Conv2d`'s default."""
    layers = convolutions(flow)
    return [
        name
        for name, default in DEFAULTS.items()
        if any(value != default for layer in layers for value in getattr(layer, name))
    ]


def differences(flow: Flow, other: Flow) -> list[str]:
    """Return what differs between two models besides pooling: kinds of layers by name, empty where nothing does.

    The first linear layer's input width follows the map's size and is no difference.
    """
    found = []
    if convolutions(flow) != convolutions(other):
        found.append("Conv2d")
    if _widths(flow) != _widths(other):
        found.append("Linear")
    kinds = (StepKind.ACTIVATION, StepKind.BATCH_NORM, StepKind.DROPOUT, StepKind.DROPOUT2D)
    return found + [kind for kind in kinds if _counted(flow, kind) != _counted(other, kind)]


def _widths(flow: Flow) -> list[tuple[int, ...]]:
    """Return the linear layers' widths, the first one's input left out."""
    layers = [step.layer for step in flow.of(StepKind.LINEAR) if isinstance(step.layer, nn.Linear)]
    return [
        (layer.out_features,) if index == 0 else (layer.in_features, layer.out_features)
        for index, layer in enumerate(layers)
    ]


def _counted(flow: Flow, kind: StepKind) -> Counter[str]:
    return Counter(type(step.layer).__name__ for step in flow.of(kind))
