"""Operations whose arguments PyTorch trusts or answers with anything: checked here first, then PyTorch's own.

Each of these was seen to end a process, to read memory beside its tensors or to return memory as it lay there:
`tests/test_lift_crashes.py` tries the whole closed list with such arguments.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .schema import MAX_ELEMENTS

MAX_PARTS = 1_024


def aten(op: str) -> Any:
    """PyTorch's own operation; only for names of our list."""
    _, name, overload = op.split(".")
    return getattr(getattr(torch.ops.aten, name), overload)


def _named(op: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by the names that PyTorch's schema gives them."""
    names = [argument.name for argument in aten(op)._schema.arguments]  # noqa: SLF001 - the only place for them
    return dict(zip(names, args, strict=False)) | kwargs


def _few(count: float) -> None:
    """Refuse to cut a tensor into very many parts: each is an object, however small."""
    if count > MAX_PARTS:
        raise ValueError(f"it cuts a tensor into more than {MAX_PARTS} parts")


def _chunk(value: Tensor, chunks: int, dim: int = 0) -> Sequence[Tensor]:
    _few(chunks)
    return torch.chunk(value, chunks, dim)


def _split(value: Tensor, split_size: int | Sequence[int], dim: int = 0) -> Sequence[Tensor]:
    sizes = split_size
    _few(value.shape[dim] / max(sizes, 1) if isinstance(sizes, int) else len(sizes))
    return torch.split(value, sizes if isinstance(sizes, int) else list(sizes), dim)


def _tensor_split(value: Tensor, sections: int, dim: int = 0) -> Sequence[Tensor]:
    _few(sections)
    return torch.tensor_split(value, sections, dim)


def _unbind(value: Tensor, dim: int = 0) -> Sequence[Tensor]:
    _few(value.shape[dim])
    return torch.unbind(value, dim)


def _reversed(value: Tensor) -> Tensor:
    """`x.T`: all axes the other way round."""
    return value.permute(*reversed(range(value.dim())))


def _einsum(equation: str, operands: Sequence[Tensor], path: None = None) -> Tensor:
    """Only with every axis named and in bounds together: whatever the order, no product in between is larger."""
    del path
    if not re.fullmatch(r"[A-Za-z, ]{1,64}->[A-Za-z ]{0,16}", equation):
        raise ValueError("its equation does not name every axis")
    lengths: dict[str, int] = {}
    terms = equation.split("->", maxsplit=1)[0].replace(" ", "").split(",")
    for term, operand in zip(terms, operands, strict=True):
        lengths.update(zip(term, operand.shape, strict=True))
    if math.prod(lengths.values()) > MAX_ELEMENTS:
        raise ValueError("its product is too large")
    return torch.einsum(equation, list(operands))


def _divide(value: Any, divisor: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divide; whole numbers by -1 are negated instead: of the smallest number the processor's division ends the process."""
    dtype = torch.result_type(value, divisor)
    if rounding_mode is None or dtype.is_floating_point or dtype is torch.bool:
        return torch.div(value, divisor, rounding_mode=rounding_mode)
    value, divisor = torch.as_tensor(value, dtype=dtype), torch.as_tensor(divisor, dtype=dtype)
    negates = divisor == -1
    quotient = torch.div(value, divisor.masked_fill(negates, 1), rounding_mode=rounding_mode)
    return torch.where(negates, -value, quotient)


def _resize(op: str, *args: Any, **kwargs: Any) -> Any:
    """Resize a map (B, C, H, W); a scale must be the one that leads to the size, or PyTorch reads beside the map."""
    given = _named(op, args, kwargs)
    image: Tensor = args[0]
    scales = given.get("scale_factors") or (given.get("scales_h"), given.get("scales_w"))
    sizes = given.get("output_size") or (None, None)
    for length, scale, size in zip(image.shape[2:], scales, sizes, strict=True):
        if scale is not None and not _leads_to(length * scale, size):
            raise ValueError("its scale and size do not fit each other")
    return aten(op)(*args, **kwargs)


def _leads_to(length: float, size: int | None) -> bool:
    """Whether a side of `length` pixels, cut to whole ones, is `size`; any from 1 up where that is None."""
    return 1 <= length <= MAX_ELEMENTS and size in {None, math.floor(length)}


def _normalize(op: str, *args: Any, **kwargs: Any) -> Any:
    """Batch norm below autograd: PyTorch takes it on trust that each vector has a number for every channel."""
    given = _named(op, args, kwargs)
    for name in ("weight", "bias", "running_mean", "running_var"):
        vector = given.get(name)
        if vector is not None and tuple(vector.shape) != tuple(args[0].shape[1:2]):
            raise ValueError(f"its {name} has not one number a channel")
    return aten(op)(*args, **kwargs)


def _weight_norm(op: str, v: Tensor, g: Tensor, dim: int = 0) -> Any:
    """Weight normalisation over the first or last axis, likewise: `g` must have a number for each of its places."""
    if dim in {0, v.dim() - 1} and g.numel() != v.shape[dim]:
        raise ValueError("its g has not one number for each row")
    return aten(op)(v, g, dim)


def _empty(size: Sequence[int], *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    """Zeros: memory as it lies there is no data."""
    return torch.zeros(size, dtype=dtype)


def _new_empty(value: Tensor, size: Sequence[int], *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    return value.new_zeros(size, dtype=dtype)


def _empty_like(value: Tensor, *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    return torch.zeros_like(value, dtype=dtype)


_RESIZES = [
    f"aten.upsample_{how}2d.{form}" for how in ("nearest", "bilinear", "bicubic") for form in ("default", "vec")
]
_NORMS = [f"aten.{name}.default" for name in (
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
)]  # fmt: skip
_WEIGHT_NORMS = ["aten._weight_norm.default", "aten._weight_norm_interface.default"]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "aten.einsum.default": _einsum,
    "aten.numpy_T.default": _reversed,
    "aten.chunk.default": _chunk,
    "aten.split.Tensor": _split,
    "aten.split.sizes": _split,
    "aten.split_with_sizes.default": _split,
    "aten.tensor_split.sections": _tensor_split,
    "aten.unbind.int": _unbind,
    "aten.empty.memory_format": _empty,
    "aten.new_empty.default": _new_empty,
    "aten.empty_like.default": _empty_like,
    "aten.div.Scalar_mode": _divide,
    "aten.div.Tensor_mode": _divide,
    "aten.floor_divide.default": partial(_divide, rounding_mode="floor"),
    **{op: partial(_resize, op) for op in _RESIZES},
    **{op: partial(_normalize, op) for op in _NORMS},
    **{op: partial(_weight_norm, op) for op in _WEIGHT_NORMS},
}
