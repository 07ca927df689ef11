"""Layers with the weights and statistics the graph names: convolutions, linear, normalisation, activations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .steps import StepKind


class NotALayerError(Exception):
    """No layer of `torch.nn` computes this operation with these arguments."""


def _elu(alpha: float = 1, scale: float = 1, input_scale: float = 1) -> nn.Module:
    if (scale, input_scale) != (1, 1):
        raise NotALayerError
    return nn.ELU(alpha)


def _hardtanh(low: float = -1, high: float = 1) -> nn.Module:
    return nn.ReLU6() if (low, high) == (0, 6) else nn.Hardtanh(low, high)


def _clamp(low: float | None = None, high: float | None = None) -> nn.Module:
    """Clamping from zero up is what a ReLU does, whichever way it is written."""
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


def _gelu(approximate: str = "none") -> nn.Module:
    return nn.GELU(approximate)


def _softmax(dim: int, dtype: object = None) -> nn.Module:
    if dtype not in {None, False}:  # below autograd: half_to_float
        raise NotALayerError
    return nn.Softmax(dim)


def _log_softmax(dim: int, dtype: object = None) -> nn.Module:
    if dtype not in {None, False}:
        raise NotALayerError
    return nn.LogSoftmax(dim)


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": _elu,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": _gelu,
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
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
}


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


def _conv(
    rank: int, image: Operand, weight: Operand, bias: Operand | None, stride: Sizes, padding: Sizes | str,
    dilation: Sizes, groups: int, transposed: bool = False, output_padding: Sizes = 0,
) -> Layers:  # fmt: skip
    if weight.weight is None:
        raise NotALayerError
    if groups < 1 or len(weight.shape) != rank + 2:
        raise ValueError("a convolution's weight does not fit its kind")
    kinds: list[Any] = [nn.ConvTranspose1d, nn.ConvTranspose2d] if transposed else [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    into, out = weight.shape[1] * groups, weight.shape[0]
    options: dict[str, Any] = {"output_padding": sizes(output_padding, rank, 0)} if transposed else {}
    layer = kinds[rank - 1](
        *((out, weight.shape[1] * groups) if transposed else (into, out)),
        kernel_size=weight.shape[2:],
        stride=sizes(stride, rank, 1),
        padding=padding if isinstance(padding, str) else sizes(padding, rank, 0),
        dilation=sizes(dilation, rank, 1),
        groups=groups,
        bias=bias is not None,
        device="meta",
        **options,
    )
    return one(image, StepKind.CONV, assign(layer, weight=weight, bias=bias))


def _conv_of(rank: int) -> Callable[..., Layers]:
    def conv(
        image: Operand, weight: Operand, bias: Operand | None = None, stride: Sizes = 1,
        padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1,
    ) -> Layers:  # fmt: skip
        return _conv(rank, image, weight, bias, stride, padding, dilation, groups)

    return conv


def _conv_transpose(
    image: Operand, weight: Operand, bias: Operand | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Layers:  # fmt: skip
    rank = len(weight.shape) - 2
    return _conv(rank, image, weight, bias, stride, padding, dilation, groups, True, output_padding)


def _convolution(
    image: Operand, weight: Operand, bias: Operand | None, stride: Sizes, padding: Sizes, dilation: Sizes,
    transposed: bool, output_padding: Sizes, groups: int, *_backend: bool,
) -> Layers:  # fmt: skip
    rank = len(weight.shape) - 2
    return _conv(rank, image, weight, bias, stride, padding, dilation, groups, transposed, output_padding)


def _convolution_mode(
    image: Operand, weight: Operand, bias: Operand | None, stride: Sizes, padding: str, dilation: Sizes, groups: int
) -> Layers:
    return _conv(len(weight.shape) - 2, image, weight, bias, stride, padding, dilation, groups)


def _linear(image: Operand, weight: Operand, bias: Operand | None = None) -> Layers:
    if weight.weight is None or len(weight.shape) != 2:
        raise NotALayerError
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return one(image, StepKind.LINEAR, assign(layer, weight=weight, bias=bias))


def _matmul(image: Operand, weight: Operand) -> Layers:
    """`x @ W`, W of shape (in, out): a linear layer without bias, its weight the transpose."""
    return _linear(image, _turned(image, weight))


def _addmm(bias: Operand, image: Operand, weight: Operand, beta: float = 1, alpha: float = 1) -> Layers:
    if (beta, alpha) != (1, 1) or len(bias.shape) != 1:
        raise NotALayerError
    return _linear(image, _turned(image, weight), bias)


def _turned(image: Operand, weight: Operand) -> Operand:
    """The weight (out, in) of which the second factor is the transpose; the model's own where there is one."""
    if weight.weight is None or image.weight is not None or len(weight.shape) != 2:
        raise NotALayerError
    if weight.op in {"aten.t.default", "aten.numpy_T.default"} and weight.first and len(weight.first.shape) == 2:
        return weight.first
    values = weight.weight.detach().t().contiguous()
    is_parameter = isinstance(weight.weight, nn.Parameter)
    return Operand(weight.name, weight.sample.t(), nn.Parameter(values) if is_parameter else values)


WEIGHTED: dict[str, Callable[..., Layers]] = {
    "aten.conv1d.default": _conv_of(1),
    "aten.conv1d.padding": _conv_of(1),
    "aten.conv2d.default": _conv_of(2),
    "aten.conv2d.padding": _conv_of(2),
    "aten.conv3d.default": _conv_of(3),
    "aten.conv3d.padding": _conv_of(3),
    "aten.conv_transpose1d.default": _conv_transpose,
    "aten.conv_transpose2d.input": _conv_transpose,
    "aten.convolution.default": _convolution,
    "aten._convolution.default": _convolution,
    "aten._convolution_mode.default": _convolution_mode,
    "aten.linear.default": _linear,
    "aten.matmul.default": _matmul,
    "aten.mm.default": _matmul,
    "aten.addmm.default": _addmm,
}


def _batch_norm(
    image: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand | None,
    running_var: Operand | None, training: bool, momentum: float, eps: float, cudnn_enabled: bool = False,
) -> Layers:  # fmt: skip
    del cudnn_enabled
    kinds: dict[int, Any] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    tracked = running_mean is not None and running_var is not None
    layer = kinds[len(image.shape)](image.shape[1], eps, momentum, weight is not None, tracked, device="meta")
    assign(layer, weight=weight, bias=bias)
    if running_mean is not None and running_var is not None:
        assign(layer, running_mean=_own(running_mean, training), running_var=_own(running_var, training))
        layer.num_batches_tracked = None
    return one(image, StepKind.BATCH_NORM, layer.train(training))


def _own(statistics: Operand, training: bool) -> Operand | Tensor:
    """In training mode a batch norm moves its statistics: it gets a copy of its own."""
    if statistics.weight is None:
        raise NotALayerError
    return statistics.weight.detach().clone() if training else statistics


def _frozen_batch_norm(
    image: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand, running_var: Operand,
    momentum: float, eps: float,
) -> Layers:  # fmt: skip
    return _batch_norm(image, weight, bias, running_mean, running_var, False, momentum, eps)


def _layer_norm(
    image: Operand, normalized_shape: Sequence[int], weight: Operand | None = None, bias: Operand | None = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Layers:  # fmt: skip
    del cudnn_enable
    affine = weight is not None
    layer = nn.LayerNorm(list(normalized_shape), eps, affine, bias is not None, device="meta")
    return one(image, StepKind.OTHER, assign(layer, weight=weight, bias=bias))


def _group_norm(
    image: Operand, num_groups: int, weight: Operand | None = None, bias: Operand | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Layers:  # fmt: skip
    del cudnn_enabled
    layer = nn.GroupNorm(num_groups, image.shape[1], eps, weight is not None, device="meta")
    return one(image, StepKind.OTHER, assign(layer, weight=weight, bias=bias))


def _native_group_norm(
    image: Operand, weight: Operand | None, bias: Operand | None, n: int, c: int, hxw: int, group: int,
    eps: float,
) -> Layers:  # fmt: skip
    del n, c, hxw
    return _group_norm(image, group, weight, bias, eps)


def _instance_norm(
    image: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand | None,
    running_var: Operand | None, use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Layers:  # fmt: skip
    del running_var, cudnn_enabled
    kinds: dict[int, Any] = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d}
    if running_mean is not None or not use_input_stats or len(image.shape) not in kinds:
        raise NotALayerError
    layer = kinds[len(image.shape)](image.shape[1], eps, momentum, weight is not None, device="meta")
    return one(image, StepKind.OTHER, assign(layer, weight=weight, bias=bias))


NORMS: dict[str, Callable[..., Layers]] = {
    "aten.batch_norm.default": _batch_norm,
    "aten.native_batch_norm.default": _batch_norm,
    "aten._native_batch_norm_legit.default": _batch_norm,
    "aten._native_batch_norm_legit_no_training.default": _frozen_batch_norm,
    "aten.cudnn_batch_norm.default": _batch_norm,
    "aten.layer_norm.default": _layer_norm,
    "aten.native_layer_norm.default": _layer_norm,
    "aten.group_norm.default": _group_norm,
    "aten.native_group_norm.default": _native_group_norm,
    "aten.instance_norm.default": _instance_norm,
}
