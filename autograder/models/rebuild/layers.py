"""Finds the `torch.nn` layer that computes an operation, with its weights, if there is one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from .operations import PURE, StepKind, listed, named, packet
from .schema import Operation

MAX_SIZE = 4_096  # of a kernel, stride, padding or dilation


class NotALayerError(Exception):
    """No layer of `torch.nn` computes this operation with these arguments."""


@dataclass(frozen=True)
class Operand:
    """A tensor argument: a stand-in with its shape and dtype, its value where it is a weight, and what made it.

    `first` is the first argument of the operation that made it.
    """

    name: str
    sample: Tensor
    weight: Tensor | None = None
    operation: Operation | None = None
    first: "Operand | None" = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, batch first."""
        return tuple(self.sample.shape)

    @property
    def op(self) -> str:
        """The ATen name of the operation that made it; empty for weights and the model's input."""
        return self.operation.op if self.operation else ""


@dataclass(frozen=True)
class FoundLayer:
    """The layer that computes an operation from `source`; where it `flattens`, an `nn.Flatten` follows."""

    source: Operand
    kind: StepKind
    module: nn.Module
    flattens: bool = False


def _assign(layer: nn.Module, **weights: Operand | Tensor | None) -> nn.Module:
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


ArgumentsByName = dict[str, Any]
"""An operation's arguments by PyTorch's names for them, its tensors as operands, what was left out by default."""


def by_name(ops: str, make: Callable[[Any, ArgumentsByName], FoundLayer]) -> dict[str, Callable[..., FoundLayer]]:
    """Return a table in which `make` finds the layer of each operation, from its first argument and all by name."""
    return {op: partial(_found, op, make) for op in listed(ops)}


def _found(op: str, make: Callable[[Any, ArgumentsByName], FoundLayer], *args: Any, **kwargs: Any) -> FoundLayer:
    given = named(op, args, kwargs)
    return make(next(iter(given.values())), given)


def sizes(value: Any, rank: int, least: int) -> tuple[int, ...]:
    """Expand a size to one value per axis and check its range."""
    sizes = (value,) * rank if isinstance(value, int) else tuple(value) * (rank if len(value) == 1 else 1)
    if len(sizes) != rank or not all(type(size) is int and least <= size <= MAX_SIZE for size in sizes):
        raise ValueError(f"a kernel's sizes are {str(value)[:40]}")
    return sizes


def _elu(alpha: float = 1, scale: float = 1, input_scale: float = 1) -> nn.Module:
    if (scale, input_scale) != (1, 1):
        raise NotALayerError
    return nn.ELU(alpha)


def _hardtanh(low: float = -1, high: float = 1) -> nn.Module:
    return nn.ReLU6() if (low, high) == (0, 6) else nn.Hardtanh(low, high)


def _clamp(low: float | None = None, high: float | None = None) -> nn.Module:
    """Return the activation that a clamp with the lower bound 0 is: a ReLU, or a Hardtanh with an upper bound."""
    if isinstance(low, bool) or not isinstance(low, int | float) or low != 0:
        raise NotALayerError
    if high is None:
        return nn.ReLU()
    if not isinstance(high, int | float) or high <= low:
        raise NotALayerError
    return _hardtanh(low, high)


def _rrelu(lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: None = None) -> nn.Module:
    del generator
    return nn.RReLU(lower, upper).train(training)


def _softmax(make: Callable[[int], nn.Module], dim: int, dtype: object = None) -> nn.Module:
    if dtype not in {None, False}:  # below autograd: half_to_float
        raise NotALayerError
    return make(dim)


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": _elu,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "sigmoid": nn.Sigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "threshold": nn.Threshold,
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "glu": nn.GLU,
    "rrelu": _rrelu,
}
SOFTMAX: dict[str, Callable[..., nn.Module]] = {
    "softmax": partial(_softmax, nn.Softmax),
    "_softmax": partial(_softmax, nn.Softmax),
    "log_softmax": partial(_softmax, nn.LogSoftmax),
    "_log_softmax": partial(_softmax, nn.LogSoftmax),
}


def _plain(kind: StepKind, make: Callable[..., nn.Module], image: Operand, *args: Any, **kwargs: Any) -> FoundLayer:
    """A layer without weights, its settings the operation's further arguments."""
    if not image.sample.is_floating_point():
        raise NotALayerError
    return FoundLayer(image, kind, make(*args, **kwargs))


PLAIN: dict[str, Callable[..., FoundLayer]] = {
    op: partial(_plain, kind, table[packet(op)])
    for kind, table in ((StepKind.ACTIVATION, ACTIVATIONS), (StepKind.SOFTMAX, SOFTMAX))
    for op in PURE
    if packet(op) in table
}


def _prelu(image: Operand, given: ArgumentsByName) -> FoundLayer:
    weight: Operand = given["weight"]
    layer = nn.PReLU(weight.sample.numel(), device="meta")
    if len(weight.shape) != 1:  # below autograd the weight comes spread over the axes: take the one it was
        weight = weight.first or weight
    return FoundLayer(image, StepKind.ACTIVATION, _assign(layer, weight=weight))


def _conv(rank: int | None, image: Operand, given: ArgumentsByName) -> FoundLayer:
    """Find a convolution over `rank` axes, or over as many as its weight has."""
    weight, groups, padding = given["weight"], given["groups"], given["padding"]
    transposed = given.get("transposed", rank is None and "output_padding" in given)
    rank = len(weight.shape) - 2 if rank is None else rank
    if weight.weight is None:
        raise NotALayerError
    if groups < 1 or len(weight.shape) != rank + 2:
        raise ValueError("a convolution's weight does not fit its kind")
    kinds: list[Any] = [nn.ConvTranspose1d, nn.ConvTranspose2d] if transposed else [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    first, second = weight.shape[0], weight.shape[1] * groups
    layer = kinds[rank - 1](
        *((first, second) if transposed else (second, first)),
        kernel_size=weight.shape[2:],
        stride=sizes(given["stride"], rank, 1),
        padding=padding if isinstance(padding, str) else sizes(padding, rank, 0),
        dilation=sizes(given["dilation"], rank, 1),
        groups=groups,
        bias=given["bias"] is not None,
        device="meta",
        **({"output_padding": sizes(given["output_padding"], rank, 0)} if transposed else {}),
    )
    return FoundLayer(image, StepKind.CONV, _assign(layer, weight=weight, bias=given["bias"]))


def _linear(image: Operand, weight: Operand, bias: Operand | None = None) -> FoundLayer:
    if weight.weight is None or len(weight.shape) != 2:
        raise NotALayerError
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return FoundLayer(image, StepKind.LINEAR, _assign(layer, weight=weight, bias=bias))


def _matmul(image: Operand, weight: Operand) -> FoundLayer:
    return _product(image, weight, None)


def _product(image: Operand, weight: Operand, bias: Operand | None) -> FoundLayer:
    """Find the linear layer that is `x @ W + b`, W of shape (in, out): its weight (out, in) is the transpose."""
    if weight.weight is None or image.weight is not None or len(weight.shape) != 2:
        raise NotALayerError
    if weight.op in {"aten.t.default", "aten.numpy_T.default"} and weight.first and len(weight.first.shape) == 2:
        return _linear(image, weight.first, bias)  # the model's own
    values = weight.weight.detach().t().contiguous()
    is_parameter = isinstance(weight.weight, nn.Parameter)
    turned = Operand(weight.name, weight.sample.t(), nn.Parameter(values) if is_parameter else values)
    return _linear(image, turned, bias)


def _addmm(bias: Operand, given: ArgumentsByName) -> FoundLayer:
    if (given["beta"], given["alpha"]) != (1, 1) or len(bias.shape) != 1:
        raise NotALayerError
    return _product(given["mat1"], given["mat2"], bias)


def _batch_norm(image: Operand, given: ArgumentsByName) -> FoundLayer:
    kinds: dict[int, Any] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    weight, mean, var = given["weight"], given["running_mean"], given["running_var"]
    training = given.get("training", False)
    tracked = mean is not None and var is not None
    momentum = given.get("momentum", given.get("exponential_average_factor"))  # as cuDNN's operation has it
    eps = given.get("eps", given.get("epsilon"))
    layer = kinds[len(image.shape)](image.shape[1], eps, momentum, weight is not None, tracked, device="meta")
    _assign(layer, weight=weight, bias=given["bias"])
    for name, statistics in (("running_mean", mean), ("running_var", var)) if tracked else ():
        if statistics.weight is None:
            raise NotALayerError
        # In training mode a batch norm moves its statistics: it gets a copy of its own.
        _assign(layer, **{name: statistics.weight.detach().clone() if training else statistics})
        layer.num_batches_tracked = None
    return FoundLayer(image, StepKind.BATCH_NORM, layer.train(training))


def _layer_norm(image: Operand, given: ArgumentsByName) -> FoundLayer:
    shape, weight, bias = list(given["normalized_shape"]), given["weight"], given["bias"]
    layer = nn.LayerNorm(shape, given["eps"], weight is not None, bias is not None, device="meta")
    return FoundLayer(image, StepKind.OTHER, _assign(layer, weight=weight, bias=bias))


def _group_norm(image: Operand, given: ArgumentsByName) -> FoundLayer:
    groups = given["num_groups"] if "num_groups" in given else given["group"]
    layer = nn.GroupNorm(groups, image.shape[1], given["eps"], given["weight"] is not None, device="meta")
    return FoundLayer(image, StepKind.OTHER, _assign(layer, weight=given["weight"], bias=given["bias"]))


def _instance_norm(image: Operand, given: ArgumentsByName) -> FoundLayer:
    kinds: dict[int, Any] = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d}
    if given["running_mean"] is not None or not given["use_input_stats"] or len(image.shape) not in kinds:
        raise NotALayerError
    weight, settings = given["weight"], (image.shape[1], given["eps"], given["momentum"])
    layer = kinds[len(image.shape)](*settings, weight is not None, device="meta")
    return FoundLayer(image, StepKind.OTHER, _assign(layer, weight=weight, bias=given["bias"]))


_BATCH_NORMS = """batch_norm.default native_batch_norm.default _native_batch_norm_legit.default cudnn_batch_norm.default
    _native_batch_norm_legit_no_training.default"""
_CONVOLUTIONS = """convolution.default _convolution.default _convolution_mode.default conv_transpose1d.default
    conv_transpose2d.input"""

WEIGHTED: dict[str, Callable[..., FoundLayer]] = {
    **by_name("prelu.default _prelu_kernel.default", _prelu),
    **by_name("conv1d.default,padding", partial(_conv, 1)),
    **by_name("conv2d.default,padding", partial(_conv, 2)),
    **by_name("conv3d.default,padding", partial(_conv, 3)),
    **by_name(_CONVOLUTIONS, partial(_conv, None)),
    "aten.linear.default": _linear,
    **dict.fromkeys(listed("matmul.default mm.default"), _matmul),
    **by_name("addmm.default", _addmm),
    **by_name(_BATCH_NORMS, _batch_norm),
    **by_name("layer_norm.default native_layer_norm.default", _layer_norm),
    **by_name("group_norm.default native_group_norm.default", _group_norm),
    **by_name("instance_norm.default", _instance_norm),
}
