"""What two of a student's models have in common: their convolutions and layers, read from what they compute."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

from autograder.graders.effect import DEFAULTS, effective_parameters
from autograder.graders.flow import Flow
from autograder.language import say
from autograder.lift import Step, StepKind

Pair = tuple[int, ...]
MAP_AXES = 4
SHOWN = ("kernel_size", "output_size", "num_features", "p", "negative_slope")  # what a layer is told by
REGULAR = (StepKind.BATCH_NORM, StepKind.DROPOUT2D)
COUNTED = (StepKind.ACTIVATION, StepKind.DROPOUT, *REGULAR)


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


def convolutions(flow: Flow, *, idle: bool = False) -> list[Convolution]:
    """Return the convolutions between input and output, in order; not those whose weights the image decides.

    Those that only copy what they read are left out unless `idle`.
    """
    steps = [step for step in flow.steps if step.kind is StepKind.CONV and (idle or flow.works(step))]
    return [_convolution(step.layer) for step in steps if isinstance(step.layer, _ConvNd)]


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
    """Return which of stride, padding, dilation are away from `nn.Conv2d`'s default in some convolution, with effect."""
    names = frozenset(step.name for step in flow.of(StepKind.CONV))
    found = effective_parameters(flow.model, flow.images, names)
    return [name for name in DEFAULTS if name in found]


def written_parameters(flow: Flow) -> list[str]:
    """Return which of stride, padding, dilation some convolution has away from `nn.Conv2d`'s default, whatever it does."""
    layers = convolutions(flow, idle=True)
    return [
        name
        for name, default in DEFAULTS.items()
        if any(value != default for layer in layers for value in getattr(layer, name))
    ]


def regularizers(flow: Flow) -> set[StepKind]:
    """Return which of batch normalisation and dropout of whole channels work on maps (B, C, H, W) in a model."""
    return {step.kind for step in flow.of(*REGULAR) if len(step.output_shape) == MAP_AXES}


def differences(flow: Flow, other: Flow) -> list[str]:
    """Return what differs between two models besides pooling: the layers' names, empty where nothing does.

    The first linear layer's input width follows the map's size and is no difference. Neither is a layer that does
    nothing, nor one that is written in both and happens to do nothing in one of them.
    """
    found = []
    if all(convolutions(flow, idle=idle) != convolutions(other, idle=idle) for idle in (False, True)):
        found.append("Conv2d")
    if _widths(flow) != _widths(other):
        found.append("Linear")
    working, written = (_changed(flow, other, idle=idle) for idle in (False, True))
    return found + sorted(working & written)


def _widths(flow: Flow) -> list[tuple[int, ...]]:
    """Return the linear layers' widths, the input of the one that reads the flattened map left out."""
    first = flow.classifiers()[:1]
    layers = [(step in first, step.layer) for step in flow.of(StepKind.LINEAR)]
    return [
        (layer.out_features,) if is_first else (layer.in_features, layer.out_features)
        for is_first, layer in layers
        if isinstance(layer, nn.Linear)
    ]


def _changed(flow: Flow, other: Flow, *, idle: bool) -> set[str]:
    """Return the names of the layers that one of two models has more often; those that do nothing only if `idle`."""
    ours, theirs = _counted(flow, idle=idle), _counted(other, idle=idle)
    return set((ours - theirs) + (theirs - ours))


def _counted(flow: Flow, *, idle: bool) -> Counter[str]:
    """Count layers by class name; what no layer of PyTorch computes goes by its operation."""
    steps = [step for step in flow.steps if step.kind in COUNTED and (idle or flow.works(step))]
    return Counter(type(step.layer).__name__ if step.layer else step.op.split(".")[1] for step in steps)


def idle_layers(flow: Flow, *kinds: StepKind) -> str:
    """Say of the layers of these kinds that change nothing why they do not count; empty where there are none."""
    return excuses(flow.idle(*kinds))


def excuses(steps: Iterable[Step]) -> str:
    """Say why these layers do not count, of two at most."""
    sentences = list(dict.fromkeys(map(_excuse, steps)))
    return "".join(f" {sentence}" for sentence in sentences[:2])


def _excuse(step: Step) -> str:
    name = _spelt(step)
    if step.kind is StepKind.BATCH_NORM:
        return say(
            pl=f"{name} nie liczy się, bo jej statystyki mają wciąż wartości początkowe (średnia 0, wariancja 1): "
            "zmienia je tylko uczenie w trybie model.train().",
            en=f"{name} does not count, since its statistics are still the initial ones (mean 0, variance 1): only "
            "training in model.train() mode changes them.",
        )
    if step.kind in {StepKind.DROPOUT, StepKind.DROPOUT2D}:
        return say(
            pl=f"{name} nie liczy się, bo w czasie uczenia niczego nie zeruje: prawdopodobieństwo p ma być większe od "
            "zera, a warstwa użyta także w trybie model.train().",
            en=f"{name} does not count, since it drops nothing in training: its probability p should be above zero, "
            "and the layer used in model.train() mode too.",
        )
    if step.kind is StepKind.CONV:
        return say(
            pl=f"{name} nie liczy się, bo tylko kopiuje kanały, najwyżej mnożąc każdy przez liczbę.",
            en=f"{name} does not count, since it only copies channels, at most multiplied by a number each.",
        )
    return say(
        pl=f"{name} nie liczy się, bo oddaje te same wartości, które dostaje.",
        en=f"{name} does not count, since it gives back the values it reads.",
    )


def _spelt(step: Step) -> str:
    """Name a layer as a student would, with what decides whether it does anything."""
    layer = step.layer
    if isinstance(layer, _ConvNd):
        return f"nn.{type(layer).__name__}({_convolution(layer)})"
    if layer is None:
        return step.op.split(".")[1]
    value = next((getattr(layer, name) for name in SHOWN if hasattr(layer, name)), "")
    setting = "×".join(map(str, value)) if isinstance(value, tuple) else value
    return f"nn.{type(layer).__name__}({setting})"
