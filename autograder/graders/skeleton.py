"""What two of a student's models have in common: their convolutions and layers, read from what they compute."""

from collections import Counter
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

from autograder.graders.flow import Flow
from autograder.lift import StepKind

Pair = tuple[int, ...]
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}
# `nn.Conv2d(..., padding_mode="reflect")` and `F.pad` pad in a step of its own.
PADDING = ("aten.pad.", "aten.constant_pad", "aten.reflection_pad", "aten.replication_pad")
MAP_AXES = 4


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
    """Return the convolutions between input and output, in order; not those whose weights the image decides."""
    return [_convolution(step.layer) for step in flow.of(StepKind.CONV) if isinstance(step.layer, _ConvNd)]


def _convolution(layer: _ConvNd) -> Convolution:
    padding = layer.padding
    if padding == "valid":
        padding = (0,) * len(layer.kernel_size)
    elif isinstance(padding, str):
        padding = tuple(-(d * (1 - k) // 2) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
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
    changed = {
        name
        for name, default in DEFAULTS.items()
        if any(value != default for layer in layers for value in getattr(layer, name))
    }
    read = [flow.by_name.get(name) for step in flow.of(StepKind.CONV) for name in step.inputs]
    if any(source.op.startswith(PADDING) for source in read if source is not None):
        changed.add("padding")
    return [name for name in DEFAULTS if name in changed]


def regularizers(flow: Flow) -> set[StepKind]:
    """Return which of batch normalisation and dropout of whole channels work on maps (B, C, H, W) in a model."""
    steps = flow.of(StepKind.BATCH_NORM, StepKind.DROPOUT2D)
    return {step.kind for step in steps if len(step.output_shape) == MAP_AXES}


def differences(flow: Flow, other: Flow) -> list[str]:
    """Return what differs between two models besides pooling: the layers' names, empty where nothing does.

    The first linear layer's input width follows the map's size and is no difference.
    """
    found = []
    if convolutions(flow) != convolutions(other):
        found.append("Conv2d")
    if _widths(flow) != _widths(other):
        found.append("Linear")
    kinds = (StepKind.ACTIVATION, StepKind.BATCH_NORM, StepKind.DROPOUT, StepKind.DROPOUT2D)
    ours, theirs = _counted(flow, *kinds), _counted(other, *kinds)
    return found + sorted((ours - theirs) + (theirs - ours))


def _widths(flow: Flow) -> list[tuple[int, ...]]:
    """Return the linear layers' widths, the input of the one that reads the flattened map left out."""
    first = flow.classifiers()[:1]
    layers = [(step in first, step.layer) for step in flow.of(StepKind.LINEAR)]
    return [
        (layer.out_features,) if is_first else (layer.in_features, layer.out_features)
        for is_first, layer in layers
        if isinstance(layer, nn.Linear)
    ]


def _counted(flow: Flow, *kinds: StepKind) -> Counter[str]:
    """Count layers by class name; what no layer of PyTorch computes goes by its operation."""
    return Counter(type(step.layer).__name__ if step.layer else step.op.split(".")[1] for step in flow.of(*kinds))
