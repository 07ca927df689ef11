"""What computes each operation of the closed list: PyTorch's own, or ours where a stranger's arguments need care."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .allowed import ALIASES, CASTS, FILLING, GUARDED, PURE
from .schema import MAX_ELEMENTS

MAX_PARTS = 1_024


def packet(op: str) -> str:
    """The operation's name without namespace, overload and the underscore of those in place."""
    return op.split(".")[1].rstrip("_") if op.startswith("aten.") else op


@cache
def returns_alias(op: str) -> bool:
    """Whether the result may share the first argument's memory, by PyTorch's own schema."""
    if packet(op) in ALIASES:
        return True
    if op not in (*PURE, *FILLING, *CASTS, *GUARDED):
        return False
    arguments = aten(op)._schema.arguments  # noqa: SLF001 - the only place where PyTorch keeps it
    return bool(arguments) and arguments[0].alias_info is not None


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """The closed list: an operation's name in the graph, and what computes it."""
    table: dict[str, Callable[..., Any]] = {op: aten(op) for op in (*PURE, *FILLING, *_in_place())}
    table |= dict.fromkeys(CASTS, _cast) | {"aten._to_copy.default": _copy} | _GUARDED
    # A view of memory that is laid out otherwise than in the sandbox would fail: reshape copies then.
    table |= dict.fromkeys(("aten.view.default", "aten._unsafe_view.default"), torch.reshape)
    return table | {"aten.contiguous.default": _contiguous, "getitem": _getitem}


@cache
def aten(op: str) -> Any:
    """PyTorch's own operation; only for names of our list."""
    _, name, overload = op.split(".")
    return getattr(getattr(torch.ops.aten, name), overload)


@cache
def _in_place() -> tuple[str, ...]:
    """What changes its first argument and has a pure twin on the list; not what turns or reshapes it."""
    return tuple(twin for op in PURE if (twin := _changing(op)) is not None and not returns_alias(op))


def _changing(op: str) -> str | None:
    _, name, overload = op.split(".")
    found = getattr(torch.ops.aten, f"{name}_", None)
    return f"aten.{name}_.{overload}" if found is not None and overload in found.overloads() else None


def _cast(value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Change the dtype if one is named; the device is the judge's, the copy is not needed."""
    found = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.dtype | Tensor)]
    dtype = next((item.dtype if isinstance(item, Tensor) else item for item in found), value.dtype)
    return value.to(dtype, copy=True) if kwargs.get("copy") is True else value.to(dtype)


def _copy(value: Tensor, **kwargs: Any) -> Tensor:
    return _cast(value, **kwargs | {"copy": True})


def _contiguous(value: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    return value.contiguous(memory_format=memory_format)


def _getitem(values: Sequence[Any], index: int) -> Any:
    if not isinstance(values, tuple | list) or not isinstance(index, int):
        raise TypeError("getitem takes one of several tensors")
    return values[index]


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


_GUARDED: dict[str, Callable[..., Any]] = {
    "aten.einsum.default": _einsum,
    "aten.numpy_T.default": _reversed,
    "aten.chunk.default": _chunk,
    "aten.split.Tensor": _split,
    "aten.split.sizes": _split,
    "aten.split_with_sizes.default": _split,
    "aten.tensor_split.sections": _tensor_split,
    "aten.unbind.int": _unbind,
}
