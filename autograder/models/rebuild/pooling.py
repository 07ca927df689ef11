"""Finds the layers for pooling, global average pooling in all its forms, dropout and flatten."""

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn

from .layers import ArgumentsByName, FoundLayer, NotALayerError, Operand, by_name, sizes
from .operations import StepKind, listed

VIEWS = listed("view.default reshape.default _unsafe_view.default flatten.using_ints")
SMALL = 4  # pixels a side of a window


class MaxPool2d(nn.MaxPool2d):
    """PyTorch's max pooling; the same values for small windows within the map, ten times faster.

    PyTorch's own function goes from window to window. Here the maximum of their first, second, … rows is taken of all
    windows at once, and then that of the columns. It has PyTorch's name, which pages show.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Pool maps (B, C, H, W); NaN stays NaN, as in PyTorch."""
        kernel, stride = _pair(self.kernel_size), _pair(self.stride)
        if not _is_simple(maps, kernel, self.padding, self.ceil_mode) or _pair(self.dilation) != (1, 1):
            return super().forward(maps)  # type: ignore[no-any-return]
        for axis in (0, 1):
            maps = reduce(torch.maximum, _taken(maps, axis, kernel[axis], stride[axis]))
        return maps


class AvgPool2d(nn.AvgPool2d):
    """PyTorch's average pooling; the same sums for small windows within the map, three times faster."""

    def forward(self, maps: Tensor) -> Tensor:
        """Pool maps (B, C, H, W), the pixels of a window added row by row, as in PyTorch."""
        kernel, stride = _pair(self.kernel_size), _pair(self.stride)
        simple = _is_simple(maps, kernel, self.padding, self.ceil_mode) and maps.dtype is torch.float32
        if not simple or self.divisor_override is not None:
            return super().forward(maps)
        rows = _taken(maps, 0, kernel[0], stride[0])
        total, *others = (pixels for row in rows for pixels in _taken(row, 1, kernel[1], stride[1]))
        total = total.clone()
        for pixels in others:
            total += pixels
        return total.div_(math.prod(kernel))


def _pair(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    return (sizes, sizes) if isinstance(sizes, int) else sizes


def _is_simple(maps: Tensor, kernel: tuple[int, ...], padding: int | tuple[int, ...], ceil_mode: bool) -> bool:
    """Whether windows are small, of more than a pixel, and within the map; fake tensors (`trial.py`) go PyTorch's way."""
    within = _pair(padding) == (0, 0) and not ceil_mode
    return type(maps) is Tensor and maps.dim() == 4 and within and 1 < max(kernel) <= SMALL


def _taken(maps: Tensor, axis: int, side: int, step: int) -> list[Tensor]:
    """Return the first, second, … row (axis 0) or column (axis 1) of all windows, each as maps (B, C, H', W')."""
    span = (maps.shape[2 + axis] - side) // step * step + 1
    cuts = (slice(first, first + span, step) for first in range(side))
    return [maps[:, :, cut] if axis == 0 else maps[:, :, :, cut] for cut in cuts]


def _max_pool(rank: int, image: Operand, given: ArgumentsByName) -> FoundLayer:
    kinds: dict[int, Any] = {1: nn.MaxPool1d, 2: MaxPool2d, 3: nn.MaxPool3d}
    kernel, step = _kernel(given, rank)
    padding, dilation = sizes(given["padding"], rank, 0), sizes(given["dilation"], rank, 1)
    layer = kinds[rank](kernel, step, padding, dilation, ceil_mode=given["ceil_mode"])
    return FoundLayer(image, StepKind.MAX_POOL, layer)


def _avg_pool2d(image: Operand, given: ArgumentsByName) -> FoundLayer:
    """Find average pooling; with a kernel as large as a map of more than one pixel it is global pooling."""
    kernel, step = _kernel(given, 2)
    make: Callable[..., nn.Module] = AvgPool2d
    divisor = given["divisor_override"]
    layer = make(kernel, step, sizes(given["padding"], 2, 0), given["ceil_mode"], given["count_include_pad"], divisor)
    whole = kernel == image.shape[-2:] != (1, 1) and divisor is None
    return FoundLayer(image, StepKind.GLOBAL_POOL if whole else StepKind.AVG_POOL, layer)


def _kernel(given: ArgumentsByName, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return a pooling's kernel size and stride, which is the kernel's size by default."""
    kernel = sizes(given["kernel_size"], rank, 1)
    return kernel, kernel if given["stride"] in ((), []) else sizes(given["stride"], rank, 1)


def _adaptive_pool2d(
    kind: StepKind, make: Callable[..., nn.Module], image: Operand, given: ArgumentsByName
) -> FoundLayer:
    """Find adaptive pooling; averaging to one pixel is global pooling."""
    size = sizes(given["output_size"], 2, 1)
    if kind is StepKind.AVG_POOL and size == (1, 1):
        return FoundLayer(image, StepKind.GLOBAL_POOL, make(1))
    return FoundLayer(image, kind, make(size))


def _mean(image: Operand, given: ArgumentsByName) -> FoundLayer:
    """Find global pooling: the mean over H and W, at once or one by one, on the map or on its pixels in a row."""
    dim, keepdim = given["dim"], given["keepdim"]
    if given["dtype"] is not None or dim is None:
        raise NotALayerError
    axes = {axis % len(image.shape) for axis in ((dim,) if isinstance(dim, int) else dim)}
    source = _map_under(image, axes)
    if source is None or (keepdim and source is not image):
        raise NotALayerError
    return FoundLayer(source, StepKind.GLOBAL_POOL, nn.AdaptiveAvgPool2d(1), flattens=not keepdim)


def _map_under(image: Operand, axes: set[int]) -> Operand | None:
    """Find the map (B, C, H, W) whose mean over H and W this is, if it is one."""
    before, operation = image.first, image.operation
    if len(image.shape) == 4 and axes == {2, 3}:
        return image
    if operation is None or before is None or len(before.shape) != 4 or len(image.shape) != 3 or axes != {2}:
        return None
    if image.op in VIEWS and image.shape == (*before.shape[:2], math.prod(before.shape[2:])):
        return before
    over = operation.args[1] if len(operation.args) > 1 else operation.kwargs.get("dim", ())
    return before if image.op == "aten.mean.dim" and over in {(2,), (3,), (-1,), (-2,)} else None


def _dropout(make: Callable[[float], nn.Module], image: Operand, given: ArgumentsByName) -> FoundLayer:
    return FoundLayer(image, StepKind.DROPOUT, make(given["p"]).train(given["train"]))


def _feature_dropout(image: Operand, given: ArgumentsByName) -> FoundLayer:
    kinds: dict[int, Any] = {3: nn.Dropout1d, 4: nn.Dropout2d, 5: nn.Dropout3d}
    if len(image.shape) not in kinds:
        raise NotALayerError
    return FoundLayer(image, StepKind.DROPOUT2D, kinds[len(image.shape)](given["p"]).train(given["train"]))


def _view(image: Operand, given: ArgumentsByName) -> FoundLayer:
    batch, width = image.shape[0], math.prod(image.shape[1:])
    shape = given["shape"] if "shape" in given else given["size"]
    if len(image.shape) < 3 or tuple(shape) not in {(batch, -1), (batch, width), (-1, width)}:
        raise NotALayerError
    return FoundLayer(image, StepKind.FLATTEN, nn.Flatten())


def _flatten(image: Operand, given: ArgumentsByName) -> FoundLayer:
    axes = len(image.shape)
    if axes < 3 or (given["start_dim"] % axes, given["end_dim"] % axes) != (1, axes - 1):
        raise NotALayerError
    return FoundLayer(image, StepKind.FLATTEN, nn.Flatten())


def _squeeze(image: Operand, given: ArgumentsByName) -> FoundLayer:
    """Find flatten: dropping both axes of a map of one pixel."""
    batch, channels, *pixels = image.shape
    dims = {axis % len(image.shape) for axis in given["dim"]} if "dim" in given else None
    if pixels != [1, 1] or (1 in {batch, channels} if dims is None else dims != {2, 3}):
        raise NotALayerError
    return FoundLayer(image, StepKind.FLATTEN, nn.Flatten())


_AVERAGE = partial(_adaptive_pool2d, StepKind.AVG_POOL, nn.AdaptiveAvgPool2d)

POOLING: dict[str, Callable[..., FoundLayer]] = {
    **by_name("max_pool1d.default", partial(_max_pool, 1)),
    **by_name("max_pool2d.default max_pool2d_with_indices.default", partial(_max_pool, 2)),
    **by_name("max_pool3d.default", partial(_max_pool, 3)),
    **by_name("avg_pool2d.default", _avg_pool2d),
    **by_name("adaptive_avg_pool2d.default _adaptive_avg_pool2d.default", _AVERAGE),
    **by_name("adaptive_max_pool2d.default", partial(_adaptive_pool2d, StepKind.MAX_POOL, nn.AdaptiveMaxPool2d)),
    **by_name("mean.dim", _mean),
    **by_name("dropout.default native_dropout.default", partial(_dropout, nn.Dropout)),
    **by_name("alpha_dropout.default", partial(_dropout, nn.AlphaDropout)),
    **by_name("feature_dropout.default", _feature_dropout),
    **by_name("view.default _unsafe_view.default reshape.default", _view),
    **by_name("flatten.using_ints", _flatten),
    **by_name("squeeze.default,dims", _squeeze),
}
