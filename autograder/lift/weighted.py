"""Convolutions and linear layers, with the weights the graph names."""

from collections.abc import Callable
from typing import Any

from torch import nn

from .activations import NotALayerError
from .layers import Layers, Operand, Sizes, assign, one, sizes
from .steps import StepKind


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
