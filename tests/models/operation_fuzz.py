"""Calls of every operation on the closed list with hostile arguments, tried in processes that may die of them."""

import mmap
import os
import random
import resource
import signal
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import torch
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.models.rebuild.build import Builder, trace_flow
from autograder.models.rebuild.module import refusing
from autograder.models.rebuild.operations import aten
from autograder.models.rebuild.schema import Graph, InputEntry, Operation, Ref, WeightEntry

INPUT = (2, 4, 6, 6)
LEAST, MOST = -(2**63), 2**63 - 1
HUGE = (2**31 - 1, 2**31, 2**32, 2**62, MOST, LEAST, -(2**31), 2**16, 2**20, 1000)
NUMBERS = (0.5, 1.0, 2.0, 0.0, -1.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"), True)
WORDS = (
    "none",
    "tanh",
    "same",
    "valid",
    "reflect",
    "replicate",
    "circular",
    "constant",
    "floor",
    "trunc",
    "ab,bc->ac",
    "a->aa",
)
DTYPES = (
    torch.float32,
    torch.float64,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.int32,
    torch.bfloat16,
    torch.float16,
)
MEMORY = 8 * 2**30


@cache
def weights() -> dict[str, Tensor]:
    """Arrays of many shapes and types, with the numbers that end careless arithmetic."""
    draw = torch.Generator().manual_seed(0)
    shapes = {"f1": (4,), "f1b": (1,), "fz": (0,), "f2": (4, 4), "f3": (3, 4, 4), "f4": (4, 4, 3, 3), "f41": (4, 1, 3, 3),
              "z2": (0, 4), "z4": (2, 0, 6, 6), "fs": ()}  # fmt: skip
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()} | {
        "fn": torch.tensor([float("nan"), float("inf"), -1e300, 1e-300], dtype=torch.float64),
        "i1": torch.tensor([LEAST, -1, 0, MOST]),
        "i2": torch.tensor([[0, 1], [-5, 99]]),
        "im": torch.tensor(-1),
        "least": torch.tensor(LEAST),
        "i32": torch.tensor([-(2**31), -1, 1, 2], dtype=torch.int32),
        "m32": torch.tensor([-1], dtype=torch.int32),
        "u8": torch.tensor([0, 255, 1, 2], dtype=torch.uint8),
        "i8": torch.tensor([-128, -1, 0, 127], dtype=torch.int8),
        "b1": torch.tensor([True, False, True, True]),
        "h1": torch.ones(4).half(),
        "bf": torch.ones(4, 4).bfloat16(),
    }


def _operation(name: str, op: str, *args: Any, **kwargs: Any) -> Operation:
    return Operation(name, op, args, kwargs)


X = Ref("x")
COMPUTED = (
    _operation("xi", "aten.to.dtype", X, torch.int64),
    _operation("x8", "aten.to.dtype", X, torch.uint8),
    _operation("xb", "aten.to.dtype", X, torch.bool),
    _operation("xd", "aten.to.dtype", X, torch.float64),
    _operation("xh", "aten.to.dtype", X, torch.bfloat16),
    _operation("xz", "aten.slice.Tensor", X, 1, 0, 0),
    _operation("xz0", "aten.slice.Tensor", X, 3, 0, 0),
    _operation("xr", "aten.reshape.default", X, (2, -1)),
    _operation("x3", "aten.reshape.default", X, (2, 4, 36)),
    _operation("x1", "aten.reshape.default", X, (-1,)),
    _operation("xw", "aten.reshape.default", X, (8, 4, 3, 3)),
    _operation("xc", "aten.slice.Tensor", Ref("x1"), 0, 0, 4),
    _operation("xc1", "aten.slice.Tensor", Ref("x1"), 0, 0, 1),
    _operation("xs", "aten.sum.default", X),
    _operation("x5", "aten.unsqueeze.default", X, 2),
    _operation("xneg", "aten.full_like.default", Ref("xi"), -1),
    _operation("xleast", "aten.full_like.default", Ref("xi"), LEAST),
    _operation("xcl", "aten.contiguous.default", X, memory_format=torch.channels_last),
    _operation("xt", "aten.transpose.int", X, 1, 3),
)
"""What depends on the images, in many shapes and types: of it no constant and often no layer can be made."""
TENSORS = (*weights(), *(operation.name for operation in COMPUTED), *["x"] * 8)


def _whole(draw: random.Random) -> int:
    return draw.choice((0, 1, 1, 2, 2, 3, 4, -1, -2, draw.choice(HUGE)))


def _argument(kind: str, draw: random.Random) -> Any:
    """Draw an argument of a type as PyTorch's schemas spell it."""
    if kind.startswith("Optional["):
        return None if draw.random() < 0.4 else _argument(kind[9:-1], draw)
    if kind.startswith("List["):
        inner, length = kind[5:-1], draw.choice((0, 1, 2, 2, 3, 4, 5))
        single = draw.random() < 0.1 and "Tensor" not in inner
        return _argument(inner, draw) if single else tuple(_argument(inner, draw) for _ in range(length))
    drawn: dict[str, Any] = {
        "Tensor": Ref(draw.choice(TENSORS)) if draw.random() < 0.97 else draw.choice(NUMBERS),
        "int": _whole(draw),
        "SymInt": _whole(draw),
        "bool": draw.random() < 0.5,
        "str": draw.choice(WORDS),
        "ScalarType": draw.choice(DTYPES),
        "MemoryFormat": torch.channels_last,
    }
    number = draw.choice((_whole(draw), draw.choice(NUMBERS)))
    return drawn.get(kind, number if kind in {"float", "number", "Scalar"} else None)


def call(op: str, seed: int) -> tuple[Operation, ...]:
    """Draw one call of an operation, and what makes one tensor of its result."""
    draw = random.Random(f"{op} {seed}")  # noqa: S311 - repeatable, not secret
    if op == "getitem":
        return _operation("drawn", op, Ref(draw.choice(TENSORS)), _whole(draw)), _sum("drawn")
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in aten(op)._schema.arguments:
        left_out = argument.has_default_value() and draw.random() < (0.9 if argument.kwarg_only else 0.35)
        default = tuple(argument.default_value) if isinstance(argument.default_value, list) else argument.default_value
        value = default if left_out else _argument(str(argument.real_type), draw)
        if not argument.kwarg_only:
            args.append(value)
        elif not left_out:
            kwargs[argument.name] = value
    returns = aten(op)._schema.returns
    several = len(returns) > 1 or str(returns[0].type).startswith("List")
    taken = (_operation("first", "getitem", Ref("drawn"), 0),) if several else ()
    return _operation("drawn", op, *args, **kwargs), *taken, _sum("first" if several else "drawn")


def _sum(name: str) -> Operation:
    """Let the result depend on the images, whatever it is made of."""
    return _operation("both", "aten.add.Tensor", Ref(name), Ref("xs"))


def runs(op: str, seed: int) -> bool:
    """Build a model of one drawn call, as `rebuild_model` does, and run it; False where it is refused."""
    operations = (*COMPUTED, *call(op, seed))
    entries = tuple(
        WeightEntry(name, "buffer", "", name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))  # type: ignore[arg-type]
        for name, tensor in weights().items()
    )
    graph = Graph(InputEntry("x", INPUT, "float32"), entries, 0, operations, "both")
    try:
        with refusing(op), torch.no_grad():
            arrays = {name: tensor.clone() for name, tensor in weights().items()}
            model = Builder(graph, trace_flow(graph), arrays).build()
        with torch.inference_mode():
            model(torch.randn(INPUT))
    except (EvidenceError, MemoryError):
        return False
    return True


def deaths(calls: Sequence[tuple[str, int]]) -> tuple[list[str], int]:
    """Try calls one after another; return those that a process died of, and how many ran."""
    found, begin, ran = [], 0, 0
    with mmap.mmap(-1, 64) as told:
        while begin < len(calls):
            told[:] = bytes(64)
            status = _forked(calls, begin, told)
            at, count = msgspec.json.decode(told[:].rstrip(b"\0"), type=tuple[int, int])
            ran += count
            if status == 0:
                break
            how = signal.Signals(status).name if status < 128 else str(status)
            found.append(f"{how}: {calls[at]} {call(*calls[at])[0]}")
            begin = at + 1
    return found, ran


def _forked(calls: Sequence[tuple[str, int]], begin: int, told: mmap.mmap) -> int:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        torch.set_num_threads(1)
        ran = 0
        for at in range(begin, len(calls)):
            told[:] = msgspec.json.encode((at, ran)).ljust(64, b"\0")
            ran += runs(*calls[at])
        told[:] = msgspec.json.encode((at, ran)).ljust(64, b"\0")
    except BaseException:  # noqa: BLE001 - a fault, which the parent reports as a death
        os._exit(1)
    os._exit(0)
