"""Layers that shrink the map: pooling, global average pooling however it is written, dropout's masks, flatten."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from .layers import Layers, NotALayerError, Operand, Sizes, one, sizes
from .steps import StepKind

VIEWS = {"aten.view.default", "aten.reshape.default", "aten._unsafe_view.default", "aten.flatten.using_ints"}


def _max_pool(rank: int) -> Callable[..., Layers]:
    layers: list[Any] = [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d]

    def pool(
        image: Operand, kernel_size: Sizes, stride: Sizes = (), padding: Sizes = 0, dilation: Sizes = 1,
        ceil_mode: bool = False,
    ) -> Layers:  # fmt: skip
        kernel = sizes(kernel_size, rank, 1)
        step = sizes(stride, rank, 1) if stride != () else kernel
        layer = layers[rank - 1](kernel, step, sizes(padding, rank, 0), sizes(dilation, rank, 1), ceil_mode=ceil_mode)
        return one(image, StepKind.MAX_POOL, layer)

    return pool


def _avg_pool2d(
    image: Operand, kernel_size: Sizes, stride: Sizes = (), padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Layers:  # fmt: skip
    """Average pooling; a kernel as large as a map of more than one pixel is global pooling."""
    kernel = sizes(kernel_size, 2, 1)
    step = sizes(stride, 2, 1) if stride != () else kernel
    layer = nn.AvgPool2d(
        _pair(kernel), _pair(step), _pair(sizes(padding, 2, 0)), ceil_mode, count_include_pad, divisor_override
    )
    whole = kernel == image.shape[-2:] != (1, 1) and divisor_override is None
    return one(image, StepKind.GLOBAL_POOL if whole else StepKind.AVG_POOL, layer)


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def _adaptive_avg_pool2d(image: Operand, output_size: Sizes) -> Layers:
    size = _pair(sizes(output_size, 2, 1))
    kind = StepKind.GLOBAL_POOL if size == (1, 1) else StepKind.AVG_POOL
    return one(image, kind, nn.AdaptiveAvgPool2d(1 if size == (1, 1) else size))


def _adaptive_max_pool2d(image: Operand, output_size: Sizes) -> Layers:
    return one(image, StepKind.MAX_POOL, nn.AdaptiveMaxPool2d(_pair(sizes(output_size, 2, 1))))


def _mean(image: Operand, dim: Sequence[int] | int | None, keepdim: bool = False, dtype: object = None) -> Layers:
    """The mean over H and W, at once or one after the other, on the map or on its pixels in a row."""
    if dtype is not None or dim is None:
        raise NotALayerError
    axes = {axis % len(image.shape) for axis in ((dim,) if isinstance(dim, int) else dim)}
    source = _map_under(image, axes)
    if source is None or (keepdim and source is not image):
        raise NotALayerError
    pool = (StepKind.GLOBAL_POOL, nn.AdaptiveAvgPool2d(1))
    return Layers(source, (pool,) if keepdim else (pool, (StepKind.FLATTEN, nn.Flatten())))


def _map_under(image: Operand, axes: set[int]) -> Operand | None:
    """Find the map (B, C, H, W) whose mean over H and W this is, if it is one."""
    before = image.first
    if len(image.shape) == 4 and axes == {2, 3}:
        return image
    if before is None or len(before.shape) != 4 or len(image.shape) != 3 or axes != {2}:
        return None
    pixels = math.prod(before.shape[2:])
    if image.op in VIEWS and image.shape == (*before.shape[:2], pixels):
        return before
    if image.op == "aten.mean.dim" and _last_axis(image.axes):
        return before
    return None


def _last_axis(axes: object) -> bool:
    """Whether a mean over a 4-D map went over its height or width alone."""
    return axes in {(2,), (3,), (-1,), (-2,)}


def _dropout(image: Operand, p: float, train: bool) -> Layers:
    return one(image, StepKind.DROPOUT, nn.Dropout(p).train(train))


def _feature_dropout(image: Operand, p: float, train: bool) -> Layers:
    kinds: dict[int, Any] = {3: nn.Dropout1d, 4: nn.Dropout2d, 5: nn.Dropout3d}
    if len(image.shape) not in kinds:
        raise NotALayerError
    return one(image, StepKind.DROPOUT2D, kinds[len(image.shape)](p).train(train))


def _alpha_dropout(image: Operand, p: float, train: bool) -> Layers:
    return one(image, StepKind.DROPOUT, nn.AlphaDropout(p).train(train))


def _view(image: Operand, shape: Sequence[int]) -> Layers:
    batch, width = image.shape[0], math.prod(image.shape[1:])
    if len(image.shape) < 3 or tuple(shape) not in {(batch, -1), (batch, width), (-1, width)}:
        raise NotALayerError
    return one(image, StepKind.FLATTEN, nn.Flatten())


def _flatten(image: Operand, start_dim: int = 0, end_dim: int = -1) -> Layers:
    axes = len(image.shape)
    if axes < 3 or (start_dim % axes, end_dim % axes) != (1, axes - 1):
        raise NotALayerError
    return one(image, StepKind.FLATTEN, nn.Flatten())


def _squeeze(image: Operand, dim: Sequence[int] | None = None) -> Layers:
    """Dropping both axes of a map of one pixel flattens it."""
    batch, channels, *pixels = image.shape
    dims = None if dim is None else {axis % len(image.shape) for axis in dim}
    if pixels != [1, 1] or (1 in {batch, channels} if dims is None else dims != {2, 3}):
        raise NotALayerError
    return one(image, StepKind.FLATTEN, nn.Flatten())


POOLING: dict[str, Callable[..., Layers]] = {
    "aten.max_pool1d.default": _max_pool(1),
    "aten.max_pool2d.default": _max_pool(2),
    "aten.max_pool3d.default": _max_pool(3),
    "aten.max_pool2d_with_indices.default": _max_pool(2),
    "aten.avg_pool2d.default": _avg_pool2d,
    "aten.adaptive_avg_pool2d.default": _adaptive_avg_pool2d,
    "aten._adaptive_avg_pool2d.default": _adaptive_avg_pool2d,
    "aten.adaptive_max_pool2d.default": _adaptive_max_pool2d,
    "aten.mean.dim": _mean,
    "aten.dropout.default": _dropout,
    "aten.native_dropout.default": _dropout,
    "aten.feature_dropout.default": _feature_dropout,
    "aten.alpha_dropout.default": _alpha_dropout,
    "aten.view.default": _view,
    "aten._unsafe_view.default": _view,
    "aten.reshape.default": _view,
    "aten.flatten.using_ints": _flatten,
    "aten.squeeze.default": _squeeze,
    "aten.squeeze.dims": _squeeze,
}
