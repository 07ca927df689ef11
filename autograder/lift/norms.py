"""Normalisation layers, with the weights and statistics the graph names."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from .activations import NotALayerError
from .layers import Layers, Operand, assign, one
from .steps import StepKind


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
