"""What computes each operation of the closed list: PyTorch's own, or ours where a stranger's arguments need care."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from .allowed import ALIASES, CASTS, FILLING, GUARDED, PURE
from .guarded import FUNCTIONS, aten


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
    table: dict[str, Callable[..., Any]] = {op: aten(op) for op in (*PURE, *FILLING)}
    table |= dict.fromkeys(CASTS, _cast) | {"aten._to_copy.default": _copy} | FUNCTIONS
    for op, twin in _in_place().items():
        table[op] = partial(_into, FUNCTIONS[twin]) if twin in FUNCTIONS else aten(op)
    # A view of memory that is laid out otherwise than in the sandbox would fail: reshape copies then.
    table |= dict.fromkeys(("aten.view.default", "aten._unsafe_view.default"), torch.reshape)
    return table | {"aten.contiguous.default": _contiguous, "getitem": _getitem}


@cache
def _in_place() -> dict[str, str]:
    """What changes its first argument and has a pure twin on the list, with that twin; not what turns or reshapes it."""
    return {changing: op for op in PURE if (changing := _changing(op)) is not None and not returns_alias(op)}


def _changing(op: str) -> str | None:
    _, name, overload = op.split(".")
    found = getattr(torch.ops.aten, f"{name}_", None)
    return f"aten.{name}_.{overload}" if found is not None and overload in found.overloads() else None


def _into(function: Callable[..., Tensor], target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Do in place what a function of ours computes."""
    return target.copy_(function(target, *args, **kwargs))


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
