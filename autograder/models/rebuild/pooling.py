"""Finds the layers for pooling, global average pooling in all its forms, dropout and flatten."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from .layers import ArgumentsByName, FoundLayer, NotALayerError, Operand, by_name, sizes
from .operations import StepKind, listed

VIEWS = listed("view.default reshape.default _unsafe_view.default flatten.using_ints")


def _max_pool(rank: int, image: Operand, given: ArgumentsByName) -> FoundLayer:
    kinds: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
    kernel, step = _kernel(given, rank)
    padding, dilation = sizes(given["padding"], rank, 0), sizes(given["dilation"], rank, 1)
    layer = kinds[rank](kernel, step, padding, dilation, ceil_mode=given["ceil_mode"])
    return FoundLayer(image, StepKind.MAX_POOL, layer)


def _avg_pool2d(image: Operand, given: ArgumentsByName) -> FoundLayer:
    """Find average pooling; with a kernel as large as a map of more than one pixel it is global pooling."""
    kernel, step = _kernel(given, 2)
    make: Callable[..., nn.Module] = nn.AvgPool2d
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
