"""Tests whether a model's layers change their inputs: a layer that returns its input does not count.

Each part's own output is compared with what its replacement gives on the same input: for a layer the identity, for
a parameter of a convolution the same layer with that parameter at its default. Another shape is a change.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd

from autograder.lesson.graders.ablation import UsedStepSearch, run
from autograder.models.rebuild import RebuiltModel, Step, StepKind, in_place

SAME = 1e-3  # of the spread of what comes out: less is no change
RARELY = 1e-3  # a dropout that zeroes a smaller fraction has no effect
ELEMENTS = 2**18  # of an output that are compared
PIXELS = 2**11  # of a map that are compared, channel by channel
PAIRS = 2**20  # of channels: with more, only the weights are compared
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}

# Elementwise nonlinearities that are written as plain arithmetic rather than as a layer.
NONLINEAR = (
    "aten.clamp", "aten.clamp_min", "aten.maximum", "aten.max.other", "aten.minimum", "aten.min.other", "aten.threshold",
    "aten.where", "aten.exp", "aten.abs",
)  # fmt: skip
# `x * (x > 0)`: a product is one of these where a factor is a comparison, as booleans or as numbers.
PRODUCT, COMPARISONS, CASTS = (
    "aten.mul",
    ("aten.gt.", "aten.ge.", "aten.lt.", "aten.le."),
    ("aten.to.", "aten._to_copy"),
)
# `nn.Conv2d(..., padding_mode="reflect")` and `F.pad` pad in a step of its own.
PADDING = ("aten.pad.", "aten.constant_pad", "aten.reflection_pad", "aten.replication_pad")
# How a mean over height and width may be written besides a pooling layer.
AVERAGING = ("aten.mean", "aten.sum", "aten.einsum", "aten.avg_pool1d", "aten.adaptive_avg_pool1d")
WRITTEN = (*PADDING, *AVERAGING)
COMPARED = (StepKind.CONV, StepKind.MAX_POOL, StepKind.AVG_POOL, StepKind.BATCH_NORM)


@dataclass(frozen=True)
class Effects:
    """A model's steps by name: without effect (`idle`), not affecting the scores (`unused`), untested (`open`)."""

    idle: frozenset[str]
    unused: frozenset[str]
    open: frozenset[str]


def effects(model: RebuiltModel, images: Tensor, *, training: bool = False) -> Effects:
    """Run the model and test each layer, or arithmetic that stands for a layer, that a check may depend on.

    In the graph of a model in training mode (`training`) a dropout that is switched off does nothing either.
    """
    steps = {step.name: step for step in model.steps}
    idle, parts = set[str](), list[str]()

    def compute(call: Step, values: Mapping[str, Any]) -> Any:
        step = steps[call.name]
        activates = is_activation(step, steps)
        before = _inputs(call, values) if activates or step.kind in COMPARED else []
        nothing = _switched_off(step, call, values, before, training)
        output = call(values)
        if isinstance(output, Tensor) and output.is_floating_point():
            if activates or step.layer is not None or step.kind is not StepKind.OTHER or step.op.startswith(WRITTEN):
                parts.append(step.name)
            if nothing or (before and _is_idle(step, before, output)):
                idle.add(step.name)
        return output

    search = UsedStepSearch(model, images, run(model, images, compute)).among(parts)
    return Effects(frozenset(idle), frozenset(search.unused), frozenset(search.open))


def is_activation(step: Step, steps: Mapping[str, Step]) -> bool:
    """Whether a step applies an elementwise nonlinearity, by name; `steps` are all of the model, by name."""
    if step.kind is StepKind.ACTIVATION or step.op.startswith(NONLINEAR):
        return True
    for name in step.inputs if step.op.startswith(PRODUCT) else ():
        factor = steps.get(name)
        while factor is not None and factor.op.startswith(CASTS):
            factor = steps.get(factor.inputs[0]) if factor.inputs else None
        if factor is not None and factor.op.startswith(COMPARISONS):
            return True
    return False


def _inputs(call: Step, values: Mapping[str, Any]) -> list[Tensor]:
    """Return the tensors of floats that a step reads and no weight; copies where it will change them."""
    read = [values[name] for name in dict.fromkeys(call.references)]
    found = [value for value in read if isinstance(value, Tensor) and value.is_floating_point()]
    return [value.clone() if in_place(call.op) else value for value in found if not isinstance(value, nn.Parameter)]


def _switched_off(
    step: Step, call: Step, values: Mapping[str, Any], before: list[Tensor], training: bool
) -> bool:  # fmt: skip
    """Whether a dropout or batch norm has no effect by its settings; its random values are not used."""
    if step.kind not in {StepKind.DROPOUT, StepKind.DROPOUT2D}:
        return isinstance(step.layer, _BatchNorm) and bool(before) and _untouched(step.layer, before[0])
    if isinstance(step.layer, _DropoutNd):
        return step.layer.p < RARELY or (training and not step.layer.training)
    if training and False in call.args:
        return True
    if "bernoulli" not in call.op:
        dropped = [value for value in call.args if isinstance(value, float)]
        return bool(dropped) and dropped[0] < RARELY
    # Written below autograd, as a random mask: `bernoulli(kept)`, where `kept` is a number or a tensor.
    kept = [value for value in (*call.args, *call.kwargs.values()) if type(value) in {float, int}]
    if kept:
        return bool(kept[0] > 1 - RARELY)
    masks = _inputs(call, values)
    return bool(masks) and bool((masks[0] > 1 - RARELY).all())


def _untouched(norm: _BatchNorm, x: Tensor) -> bool:
    """Whether a batch norm's statistics give what their initial values, 0 and 1, give; it may also keep none."""
    mean, var = norm.running_mean, norm.running_var
    if mean is None or var is None or x.dim() < 2:
        return False
    x = _first_images(x).double().movedim(1, -1)
    initial = x / (1 + norm.eps) ** 0.5
    normed = (x - mean.double()) * (var.double() + norm.eps).rsqrt()
    return bool((normed - initial).norm() <= SAME * initial.norm())


def _is_idle(step: Step, before: list[Tensor], output: Tensor) -> bool:
    """Whether a convolution, pooling or activation gives nothing but what it read, scaled and shifted at most."""
    if step.kind is StepKind.BATCH_NORM:
        return False
    if step.kind is not StepKind.CONV:
        return any(
            value.shape == output.shape and _same(_first_images(value), _first_images(output)) for value in before
        )
    if isinstance(step.layer, _ConvNd):
        return _copies(step.layer, before[0], output)
    x, axes = before[0], before[-1].dim() - 2  # weights computed from the image are read after it
    return axes > 0 and x.shape[-axes:] == output.shape[-axes:] and x.shape[-axes - 1] > 1 and _copied(x, output, axes)


def _same(x: Tensor, y: Tensor) -> bool:
    """Whether y is a·x + b for some numbers a and b, but for rounding; a constant is not."""
    x, y = x.double().flatten(), y.double().flatten()
    x, y = x - x.mean(), y - y.mean()
    slope = (x * y).sum() / (x * x).sum()
    return bool(y.norm() > 0) and bool((y - slope * x).norm() <= SAME * y.norm())


def _first_images(values: Tensor) -> Tensor:
    """Return the first images of a batch, at most `ELEMENTS` values."""
    return values[: max(1, ELEMENTS * len(values) // max(1, values.numel()))] if values.dim() else values


# Convolutions


def _copies(layer: _ConvNd, x: Tensor, y: Tensor) -> bool:
    """Whether each channel a convolution gives is one of those it read, scaled and shifted at most, or a constant.

    One that makes several maps of a single channel gives another shape: a bank of filters, however small.
    """
    if any(step != 1 for step in layer.stride) or layer.in_channels == 1 < layer.out_channels:
        return False
    return _single_taps(layer) or (_map_size(layer, x) == _map_size(layer, y) and _copied(x, y, len(layer.kernel_size)))


def _single_taps(layer: _ConvNd) -> bool:
    """Whether each filter has one weight that is not zero: it copies one channel, perhaps moved by some pixels."""
    weight = layer.weight.detach().abs()
    if isinstance(layer, _ConvTransposeNd):
        if layer.groups != 1:
            return False
        weight = weight.transpose(0, 1)
    filters = weight.flatten(1)
    if filters.shape[1] == 1:
        return True
    first, second = filters.topk(2, dim=1).values.unbind(1)
    return bool((second <= SAME * first).all())


def _map_size(layer: _ConvNd, x: Tensor) -> tuple[int, ...]:
    """Return height and width, or whatever axes the convolution moves along, of a batch or of a single image."""
    return tuple(x.shape[-len(layer.kernel_size) :])


def _copied(x: Tensor, y: Tensor, axes: int) -> bool:
    """Whether each channel of y is a channel of x, ([B,] C, …) with so many axes, scaled and shifted, or a constant."""
    if x.shape[-axes - 1] * y.shape[-axes - 1] > PAIRS:
        return False
    x, y = (_channels(z if z.dim() > 1 + axes else z[None]) for z in (x, y))
    spread = y.norm(dim=1)
    best_correlation = (y @ x.T) / (spread[:, None] * x.norm(dim=1)).clamp(min=1e-30)
    left = 1 - best_correlation.square().amax(1)
    return bool(((left <= SAME**2) | (spread <= 0)).all())


def _channels(x: Tensor) -> Tensor:
    """Return some pixels of each channel, (C, n) float64, less their mean."""
    pixels = x.movedim(1, 0).flatten(1)
    pixels = pixels[:, :: max(1, pixels.shape[1] // PIXELS)].double()
    return pixels - pixels.mean(1, keepdim=True)


def effective_parameters(model: RebuiltModel, images: Tensor, names: frozenset[str]) -> set[str]:
    """Return which of stride, padding and dilation make the convolutions `names` give something else than by default.

    What pads the map before a convolution, in a step of its own, is padding too.
    """
    steps = {step.name: step for step in model.steps}
    pads = {source for name in names for source in steps[name].inputs if source in steps}
    found = set[str]()

    def compute(call: Step, values: Mapping[str, Any]) -> Any:
        output, layer = call(values), steps[call.name].layer
        before = _inputs(call, values) if call.name in pads and call.op.startswith(PADDING) else []
        if before and any(a > b for a, b in zip(output.shape[-2:], before[0].shape[-2:], strict=True)):
            found.add("padding")
        if call.name in names and isinstance(layer, _ConvNd):
            left = (name for name in DEFAULTS if name not in found)
            found.update([name for name in left if _matters(name, call, layer, values, output)])
        return output

    run(model, images, compute)
    return found


def per_axis(layer: _ConvNd, name: str) -> tuple[int, ...]:
    """Return a convolution's parameter, one number per axis; "same" padding as what it adds before the map."""
    value = getattr(layer, name)
    if not isinstance(value, str):
        return tuple(value)
    total = (d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    return tuple(-(-pad // 2) if value == "same" else 0 for pad in total)


def _matters(name: str, call: Step, layer: _ConvNd, values: Mapping[str, Any], output: Tensor) -> bool:
    """Whether the convolution gives another shape, or other values, with this parameter at its default."""
    default = (DEFAULTS[name],) * len(layer.kernel_size)
    if per_axis(layer, name) == default:
        return False
    plain = copy(layer)
    setattr(plain, name, default)
    if _size(plain, _inputs(call, values)[0]) != _map_size(plain, output):
        return True
    other = replace(call, function=plain, shape=None, dtype=None)(values)
    return not bool(
        (_first_images(other).double() - _first_images(output).double()).norm()
        <= SAME * _first_images(output).double().norm()
    )


def _size(layer: _ConvNd, image: Tensor) -> tuple[int, ...]:
    """Return the output's height and width by the formula of the lesson's section 5."""
    axes = zip(
        _map_size(layer, image), layer.kernel_size, layer.stride, per_axis(layer, "padding"), layer.dilation,
        layer.output_padding, strict=True,
    )  # fmt: skip
    if isinstance(layer, _ConvTransposeNd):
        return tuple((n - 1) * s - 2 * p + d * (k - 1) + more + 1 for n, k, s, p, d, more in axes)
    if layer.padding == "same":
        return _map_size(layer, image)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in axes)


def averages_one_pixel(model: RebuiltModel, images: Tensor, average: Step, source: Step) -> bool:
    """Whether the average of a map equals one of its pixels, up to scale and offset."""
    seen: dict[str, Tensor] = {}

    def compute(call: Step, values: Mapping[str, Any]) -> Any:
        output = call(values)
        if call.name in {average.name, source.name}:
            seen[call.name] = _first_images(output).double()
        return output

    run(model, images, compute)
    pixels, mean = seen[source.name].flatten(2), seen[average.name].flatten(1)
    n = min(len(pixels), len(mean))
    return pixels.shape[2] == 1 or any(_same(pixel[:n], mean[:n]) for pixel in pixels.unbind(2))
