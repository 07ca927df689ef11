"""Reads a rebuilt model's layers as a data flow, and compares the convolutions and layers of two models."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.ablation import SEED
from autograder.lesson.graders.effect import (
    AVERAGING,
    DEFAULTS,
    Effects,
    effective_parameters,
    effects,
    is_activation,
    per_axis,
)
from autograder.lesson.measure import Measurements
from autograder.models.rebuild import RebuiltModel, Step, StepKind

MAP_AXES = 4  # (B, C, H, W)
_EFFECTS: WeakKeyDictionary[RebuiltModel, dict[tuple[bool, bool], Effects]] = WeakKeyDictionary()
"""Cache by model, and by whether it ran on noise and in training mode."""


def visible_batch(measured: Measurements, model: RebuiltModel) -> Tensor | None:
    """Return one batch of visible images as the model takes them; None where the student's transform is not known."""
    try:
        batch = measured.visible.first(model.batch_size)
    except (AbsentError, UndecidedError):
        return None
    return batch if tuple(batch.shape) == model.input_shape else None


class LayerFlow:
    """The steps of a model that really influence its output, found by walking backwards from it.

    `images` is one batch as the model takes it; without it the model is looked at on noise. `training` says that the
    model is the graph taken in training mode. Raises `UndecidedError` where too many steps would have to be tried.
    """

    def __init__(self, model: RebuiltModel, images: Tensor | None = None, *, training: bool = False) -> None:
        known, key = _EFFECTS.setdefault(model, {}), (images is None, training)
        if images is None:
            noise = torch.randn(model.input_shape, generator=torch.Generator().manual_seed(SEED))
            images = noise.to(model.input_dtype)
        self.model, self.images = model, images
        if key not in known:
            known[key] = effects(model, self.images, training=training)
        if known[key].open:
            raise UndecidedError(
                say(
                    pl="Sieć ma tyle rozgałęzień, że nie sprawdzono, które z jej warstw wpływają na wynik; oceni ją osoba "
                    "prowadząca.",
                    en="The network has so many branches that it was not tried which of its layers its answer rests on; "
                    "a person will judge it.",
                )
            )
        self.steps = tuple(step for step in model.steps if step.name not in known[key].unused)
        self.by_name = {step.name: step for step in self.steps}
        self._idle = known[key].idle

    def working(self, *kinds: StepKind) -> list[Step]:
        """Return the steps of these kinds that change the values they read, in order."""
        return [step for step in self.steps if step.kind in kinds and self.works(step)]

    def idle(self, *kinds: StepKind) -> list[Step]:
        """Return the steps of these kinds that change nothing, in order."""
        return [step for step in self.steps if step.kind in kinds and not self.works(step)]

    def works(self, step: Step) -> bool:
        """Whether a step's output differs from its input."""
        return step.name not in self._idle

    def activations(self) -> list[Step]:
        """Return the steps that apply an elementwise nonlinearity."""
        return [step for step in self.steps if is_activation(step, self.by_name) and self.works(step)]

    def behind(self, *steps: Step, stop: Callable[[Step], bool] = lambda _: False) -> Iterator[Step]:
        """Yield the steps that `steps` read, directly or not, but none behind a step for which `stop` is true."""
        waiting, seen = [name for step in steps for name in step.inputs], set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.by_name:
                continue
            seen.add(name)
            inner = self.by_name[name]
            yield inner
            if not stop(inner):
                waiting += inner.inputs

    def groups(self) -> int:
        """Count groups of convolutions, each ended by an activation; two activations of one group are one end."""
        activations, convolutions = self.activations(), {step.name for step in self.working(StepKind.CONV)}
        ends = {step.name for step in (*activations, *self.working(StepKind.LINEAR))}
        read = (self.behind(step, stop=lambda inner: inner.name in ends) for step in activations)
        groups = {frozenset(step.name for step in steps) & convolutions for steps in read}
        return len(groups - {frozenset()})

    def classifiers(self) -> list[Step]:
        """Return the linear layers that read a spatial map, flattened or not, and that no convolution follows."""
        inside = {inner.name for inner in self.behind(*self.working(StepKind.CONV))}
        return [step for step in self.after_convolutions(StepKind.LINEAR) if step.name not in inside]

    def after_convolutions(self, kind: StepKind) -> list[Step]:
        """Return the steps of this kind that read what a convolution gave."""
        convolutions = {step.name for step in self.working(StepKind.CONV)}
        return [step for step in self.working(kind) if any(inner.name in convolutions for inner in self.behind(step))]

    def averaging(self, step: Step) -> Step | None:
        """Return the step that averages the map over height and width just before `step` reads it, if one does."""
        between = self.behind(step, stop=lambda inner: inner.kind is StepKind.CONV or _pixels(inner) > 1)
        return next((inner for inner in between if self._averages(inner)), None)

    def mapped(self, average: Step) -> Step | None:
        """Return the step whose map (B, C, H, W) `average` reads; None where that is the image itself."""
        if average.kind in {StepKind.GLOBAL_POOL, StepKind.AVG_POOL} and average.layer is not None:
            return self.by_name.get(average.inputs[0])
        maps = (inner for inner in self.behind(average) if inner.kind is not StepKind.OTHER)
        return next((inner for inner in maps if _pixels(inner)), None)

    def _averages(self, step: Step) -> bool:
        """Whether a step leaves one number per channel, the sum or mean over the pixels, whichever way it is written."""
        if step.kind is StepKind.GLOBAL_POOL:
            return True  # of a map of one pixel too: only experiment 2 asks whether that averages anything
        source, shape = self.mapped(step), step.output_shape[1:]
        if source is None or (step.kind is StepKind.AVG_POOL and _pixels(source) == 1):
            return source is not None
        written = step.layer is None and step.op.startswith(AVERAGING)
        return written and shape[:1] == spatial(source)[:1] and prod(shape) == shape[0]

    def flattened(self, step: Step) -> Step | None:
        """Return the spatial map (B, C, H, W) that reaches `step` flattened, if one does."""
        return next((inner for inner in self.behind(step, stop=lambda s: _pixels(s) > 0) if _pixels(inner)), None)


def spatial(step: Step) -> tuple[int, int, int]:
    """Return (C, H, W) of a map."""
    _, c, h, w = step.output_shape
    return c, h, w


def _pixels(step: Step) -> int:
    """Return H·W of a map (B, C, H, W), 0 of what is no map."""
    return prod(step.output_shape[2:]) if len(step.output_shape) == MAP_AXES else 0


SHOWN = ("kernel_size", "output_size", "num_features", "p", "negative_slope")  # the settings shown in a layer's name
REGULAR = (StepKind.BATCH_NORM, StepKind.DROPOUT2D)
COUNTED = (StepKind.ACTIVATION, StepKind.DROPOUT, *REGULAR)


@dataclass(frozen=True)
class Convolution:
    """A convolution's parameters, but for its bias: batch normalisation after it makes that pointless."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @classmethod
    def from_layer(cls, layer: _ConvNd) -> "Convolution":
        """Read the parameters of a layer."""
        kernel_size, stride, padding, dilation = (
            per_axis(layer, name) for name in ("kernel_size", "stride", "padding", "dilation")
        )
        return cls(layer.in_channels, layer.out_channels, kernel_size, stride, padding, dilation, layer.groups)

    def __str__(self) -> str:
        """Return it as shown in messages: 1→16, 3×3."""
        return f"{self.in_channels}→{self.out_channels}, {'×'.join(map(str, self.kernel_size))}"


def convolutions(flow: LayerFlow, *, idle: bool = False) -> list[Convolution]:
    """Return the convolutions between input and output, in order; not those whose weights the image decides.

    Those that only copy what they read are left out unless `idle`.
    """
    steps = [step for step in flow.steps if step.kind is StepKind.CONV and (idle or flow.works(step))]
    return [Convolution.from_layer(step.layer) for step in steps if isinstance(step.layer, _ConvNd)]


def changed_parameters(flow: LayerFlow) -> list[str]:
    """Return which of stride, padding, dilation differ from `nn.Conv2d`'s default and have an effect."""
    names = frozenset(step.name for step in flow.working(StepKind.CONV))
    found = effective_parameters(flow.model, flow.images, names)
    return [name for name in DEFAULTS if name in found]


def written_parameters(flow: LayerFlow) -> list[str]:
    """Return which of stride, padding, dilation differ from `nn.Conv2d`'s default, with an effect or without."""
    layers = convolutions(flow, idle=True)
    return [name for name, plain in DEFAULTS.items() if any({*getattr(layer, name)} != {plain} for layer in layers)]


def regularizers(flow: LayerFlow) -> set[StepKind]:
    """Return which of batch normalisation and dropout of whole channels work on maps (B, C, H, W) in a model."""
    return {step.kind for step in flow.working(*REGULAR) if len(step.output_shape) == MAP_AXES}


def differences(flow: LayerFlow, other: LayerFlow) -> list[str]:
    """Return what differs between two models besides pooling: the layers' names, empty where nothing does.

    The first linear layer's input width follows the map's size and is no difference. Neither is a layer that does
    nothing, nor one that is written in both and happens to do nothing in one of them.
    """
    found = []
    if all(convolutions(flow, idle=idle) != convolutions(other, idle=idle) for idle in (False, True)):
        found.append("Conv2d")
    if _widths(flow) != _widths(other):
        found.append("Linear")
    counts = [(_counted(flow, idle=idle), _counted(other, idle=idle)) for idle in (False, True)]
    working, written = (set((ours - theirs) + (theirs - ours)) for ours, theirs in counts)
    return found + sorted(working & written)


def _widths(flow: LayerFlow) -> list[tuple[int, ...]]:
    """Return the linear layers' widths, the input of the one that reads the flattened map left out."""
    first = flow.classifiers()[:1]
    layers = [(step in first, step.layer) for step in flow.working(StepKind.LINEAR)]
    return [
        (layer.out_features,) if is_first else (layer.in_features, layer.out_features)
        for is_first, layer in layers
        if isinstance(layer, nn.Linear)
    ]


def _counted(flow: LayerFlow, *, idle: bool) -> Counter[str]:
    """Count layers by class name (or operation), those without effect only if `idle`."""
    steps = [step for step in flow.steps if step.kind in COUNTED and (idle or flow.works(step))]
    return Counter(type(step.layer).__name__ if step.layer else step.op.split(".")[1] for step in steps)


def idle_layers(flow: LayerFlow, *kinds: StepKind) -> str:
    """Return the text that explains why layers of these kinds without effect do not count; empty if there are none."""
    return excuses(flow.idle(*kinds))


def excuses(steps: Iterable[Step]) -> str:
    """Say why these layers do not count, of two at most."""
    sentences = list(dict.fromkeys(map(_excuse, steps)))
    return "".join(f" {sentence}" for sentence in sentences[:2])


def _excuse(step: Step) -> str:
    name = _layer_name(step)
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


def _layer_name(step: Step) -> str:
    """Name a layer as a student would, with what decides whether it does anything."""
    layer = step.layer
    if isinstance(layer, _ConvNd):
        return f"nn.{type(layer).__name__}({Convolution.from_layer(layer)})"
    if layer is None:
        return step.op.split(".")[1]
    value = next((getattr(layer, name) for name in SHOWN if hasattr(layer, name)), "")
    setting = "×".join(map(str, value)) if isinstance(value, tuple) else value
    return f"nn.{type(layer).__name__}({setting})"
