"""Reads `graph.json`, `train.json` and `weights.npz` strictly: anything that does not match the schema is rejected.

Every name is defined once and before it is used, every size is in bounds and checked before an array is read, and
nothing is unpickled or unpacked.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor

from autograder.engine.files import open_beneath, parse_array, read_beneath
from autograder.models import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES, refusal, too_heavy

MAX_NODES = 20_000
MAX_ELEMENTS = 2**28
MAX_DEPTH = 4  # of nested arguments
MAX_ITEMS = 4_096  # of one list among them
MAX_WORD = 64  # characters
MAX_HEADER = 4_096  # bytes, of a .npy file

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,127}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_ELEMENTS)]
Shape = Annotated[tuple[Size, ...], msgspec.Meta(max_length=8)]
Type = Literal["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool"]
Arguments = Annotated[list[Any], msgspec.Meta(max_length=32)]
Named = Annotated[dict[Name, Any], msgspec.Meta(max_length=32)]

ALLOWED_CONSTANTS: dict[str, Any] = {
    **{f"torch.{name}": getattr(torch, name) for name in Type.__args__},  # type: ignore[attr-defined]
    **{f"torch.{name}": getattr(torch, name) for name in ("contiguous_format", "preserve_format", "channels_last")},
    **{word: float(word) for word in ("inf", "-inf", "nan")},
}


class InputEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tensor that the model takes: its shape with the fixed batch."""

    name: Name
    shape: Shape
    dtype: Type


class WeightEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor of weights.npz, there under `key`, that the graph reads under `name` and the model calls `target`."""

    name: Name
    kind: Literal["parameter", "buffer", "constant"]
    target: Text
    key: Annotated[str, msgspec.Meta(pattern=r"\Aw[0-9]{1,6}\Z")]
    shape: Shape
    dtype: Type

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        dtype: torch.dtype = ALLOWED_CONSTANTS[f"torch.{self.dtype}"]
        return math.prod(self.shape) * dtype.itemsize


class DeclaredEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter the model declares, used or not."""

    name: Text
    shape: Shape


class NodeEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation as written; `shape` and `dtype` are null where it returns several tensors."""

    name: Name
    op: Text
    args: Arguments
    kwargs: Named
    shape: Shape | None
    dtype: Type | None
    autocast: Literal["bfloat16", "float16"] | None


class GraphEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file as written."""

    version: Literal[1]
    method: Text
    inputs: Annotated[tuple[InputEntry, ...], msgspec.Meta(min_length=1, max_length=1)]
    weights: Annotated[tuple[WeightEntry, ...], msgspec.Meta(max_length=MAX_NODES)]
    declared: Annotated[tuple[DeclaredEntry, ...], msgspec.Meta(max_length=MAX_NODES)]
    nodes: Annotated[tuple[NodeEntry, ...], msgspec.Meta(max_length=MAX_NODES)]
    output: Name


@dataclass(frozen=True)
class Ref:
    """An argument that names an earlier value."""

    name: str


@dataclass(frozen=True)
class Operation:
    """One operation; arguments are numbers, text, dtypes, references and tuples of these."""

    name: str
    op: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...] | None = None
    dtype: torch.dtype | None = None
    autocast: torch.dtype | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """The names it reads, in order."""
        return tuple(_names((self.args, tuple(self.kwargs.values()))))

    @property
    def target(self) -> str | None:
        """The name of its first argument, which an in-place operation changes."""
        first = self.args[0] if self.args else None
        return first.name if isinstance(first, Ref) else None


@dataclass(frozen=True)
class Graph:
    """A model as read; `declared` is how many numbers the student's model declares as parameters, used or not."""

    input: InputEntry
    weights: tuple[WeightEntry, ...]
    declared: int
    operations: tuple[Operation, ...]
    output: str


class _MalformedError(Exception):
    """Part of a sentence: what is wrong with the graph."""


def read_graph(folder: Path, name: str) -> Graph:
    """Read one graph file; raises `EvidenceError` with one sentence for whatever is wrong with it."""
    raw = read_beneath(folder, name, limit=MAX_GRAPH_BYTES)
    try:
        entry = msgspec.json.decode(raw, type=GraphEntry)
        operations = tuple(_operation(node) for node in entry.nodes)
        declared = sum(math.prod(parameter.shape) for parameter in entry.declared)
        graph = Graph(entry.inputs[0], entry.weights, declared, operations, entry.output)
        _check_names(graph)
        _check_sizes(graph)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, _MalformedError) as error:
        raise refusal(
            pl=f"{name} nie jest grafem modelu: {error}.",
            en=f"{name} is not a model's graph: {error}.",
        ) from error
    return graph


def _operation(node: NodeEntry) -> Operation:
    args = tuple(_argument(item, 0) for item in node.args)
    kwargs = {key: _argument(item, 0) for key, item in node.kwargs.items()}
    dtype = ALLOWED_CONSTANTS[f"torch.{node.dtype}"] if node.dtype else None
    autocast = ALLOWED_CONSTANTS[f"torch.{node.autocast}"] if node.autocast else None
    return Operation(node.name, node.op, args, kwargs, node.shape, dtype, autocast)


def _argument(value: object, depth: int) -> object:
    if isinstance(value, list):
        if depth >= MAX_DEPTH or len(value) > MAX_ITEMS:
            raise _MalformedError("an argument is nested too deep or too long")
        return tuple(_argument(item, depth + 1) for item in value)
    if isinstance(value, dict):
        if set(value) != {"node"} or not isinstance(value["node"], str):
            raise _MalformedError("an argument is neither a number, a word, a list nor a reference")
        return Ref(value["node"])
    if isinstance(value, str):
        if len(value) > MAX_WORD:
            raise _MalformedError("an argument is a text too long to be a word")
        return ALLOWED_CONSTANTS.get(value, value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _MalformedError("an argument is larger than 64 bits")
    return value


def _names(value: object) -> Iterator[str]:
    """Yield the names that an argument refers to, in order."""
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item)


def _check_names(graph: Graph) -> None:
    known: set[str] = set()
    definitions: list[InputEntry | WeightEntry | Operation] = [graph.input, *graph.weights, *graph.operations]
    for defined in definitions:
        for reference in defined.references if isinstance(defined, Operation) else ():
            if reference not in known:
                raise _MalformedError(f"{defined.name} reads {reference[:64]!r} before it is there")
        if defined.name in known:
            raise _MalformedError(f"the name {defined.name} is given twice")
        known.add(defined.name)
    if graph.output not in known:
        raise _MalformedError("its output is never computed")


def _check_sizes(graph: Graph) -> None:
    shapes = [graph.input.shape, *(weight.shape for weight in graph.weights)]
    shapes += [operation.shape for operation in graph.operations if operation.shape is not None]
    if any(math.prod(shape) > MAX_ELEMENTS for shape in shapes):
        raise _MalformedError(f"it holds a tensor of more than {MAX_ELEMENTS} elements")
    if not graph.input.shape or graph.input.shape[0] < 1:
        raise _MalformedError("it takes no batch of images")


def read_weights(folder: Path, entries: tuple[WeightEntry, ...]) -> dict[str, Tensor]:
    """Read the arrays that the graph names, by key; raises `EvidenceError` unless each is exactly as declared."""
    wanted: dict[str, WeightEntry] = {}
    for entry in entries:
        first = wanted.setdefault(entry.key, entry)
        if (first.shape, first.dtype) != (entry.shape, entry.dtype):
            raise refusal(
                pl=f"Graf opisuje tensor {entry.key} z weights.npz na dwa sposoby.",
                en=f"The graph declares {entry.key} of weights.npz in two ways.",
            )
    if sum(entry.nbytes for entry in wanted.values()) > MAX_WEIGHT_BYTES:
        raise too_heavy("weights.npz")
    with open_beneath(folder, "weights.npz", limit=MAX_WEIGHT_BYTES) as file:
        try:
            return _read_archive(file, wanted)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError,
                OverflowError) as error:  # fmt: skip
            raise refusal(
                pl=f"weights.npz nie jest czytelnym archiwum: {error}.",
                en=f"weights.npz is not a readable archive: {error}.",
            ) from error


def _read_archive(file: BinaryIO, wanted: dict[str, WeightEntry]) -> dict[str, Tensor]:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) != len(archive.infolist()) or len(members) > MAX_NODES:
            raise refusal(
                pl="weights.npz zawiera za dużo plików albo któryś dwa razy.",
                en="weights.npz holds too many members, or one twice.",
            )
        tensors = {}
        for key, entry in wanted.items():
            member = members.get(f"{key}.npy")
            if member is None:
                raise refusal(
                    pl=f"W weights.npz brakuje tensora {key}, z którego korzysta graf.",
                    en=f"weights.npz lacks {key}, which the graph reads.",
                )
            tensors[key] = _read_tensor(archive, member, entry)
    return tensors


def _read_tensor(archive: zipfile.ZipFile, member: zipfile.ZipInfo, entry: WeightEntry) -> Tensor:
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > entry.nbytes + MAX_HEADER:
        raise refusal(
            pl=f"Tensor {entry.key} w weights.npz jest spakowany albo większy, niż podaje graf.",
            en=f"{entry.key} of weights.npz is packed, or larger than the graph says.",
        )
    with archive.open(member) as stream:
        raw = stream.read(entry.nbytes + MAX_HEADER + 1)
    array = parse_array(raw, f"weights.npz/{entry.key}")
    # NumPy has no bfloat16: its bits travel as uint16.
    if array.shape != entry.shape or array.dtype != np.dtype(entry.dtype.replace("bfloat16", "uint16")):
        raise refusal(
            pl=f"Tensor {entry.key} w weights.npz ma inny kształt lub typ, niż podaje graf.",
            en=f"{entry.key} of weights.npz has not the shape and type that the graph says.",
        )
    tensor = torch.from_numpy(np.array(array, order="C"))
    return tensor.view(torch.bfloat16) if entry.dtype == "bfloat16" else tensor
