"""Strict reading of `graph.json` and `train.json`: what does not fit these types is refused.

Every name is defined once and before it is used, every size is in bounds.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import torch

from autograder.engine.errors import EvidenceError
from autograder.engine.files import read_beneath
from autograder.engine.text import say
from autograder.models import MAX_GRAPH_BYTES

MAX_NODES = 20_000
MAX_ELEMENTS = 2**28

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,127}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_ELEMENTS)]
Shape = Annotated[tuple[Size, ...], msgspec.Meta(max_length=8)]
Type = Literal["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool"]
Arguments = Annotated[list[Any], msgspec.Meta(max_length=32)]
Named = Annotated[dict[Name, Any], msgspec.Meta(max_length=32)]


class InputEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tensor that the model takes."""

    name: Name
    shape: Shape
    dtype: Type


class WeightEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor of weights.npz that the graph reads under `name`."""

    name: Name
    kind: Literal["parameter", "buffer", "constant"]
    target: Text
    key: Annotated[str, msgspec.Meta(pattern=r"\Aw[0-9]{1,6}\Z")]
    shape: Shape
    dtype: Type


class DeclaredEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter the model declares, used or not."""

    name: Text
    shape: Shape


class NodeEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation as written."""

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


MAX_DEPTH = 4
MAX_ITEMS = 4_096
MAX_WORD = 64


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
    shape: tuple[int, ...] | None
    dtype: torch.dtype | None
    autocast: torch.dtype | None

    @property
    def references(self) -> tuple[str, ...]:
        """The names it reads, in order."""
        return tuple(names((self.args, tuple(self.kwargs.values()))))

    @property
    def target(self) -> str | None:
        """The name of its first argument, which an in-place operation changes."""
        first = self.args[0] if self.args else None
        return first.name if isinstance(first, Ref) else None


@dataclass(frozen=True)
class Graph:
    """A model as read: every name defined once, before it is used."""

    input: InputEntry
    weights: tuple[WeightEntry, ...]
    declared: int
    operations: tuple[Operation, ...]
    output: str


WORDS: dict[str, Any] = {
    **{f"torch.{name}": getattr(torch, name) for name in Type.__args__},  # type: ignore[attr-defined]
    **{f"torch.{name}": getattr(torch, name) for name in ("contiguous_format", "preserve_format", "channels_last")},
    **{word: float(word) for word in ("inf", "-inf", "nan")},
}  # fmt: skip


def read_graph(folder: Path, name: str) -> Graph:
    """Read one graph file; raises `EvidenceError` with one sentence for whatever is wrong with it."""
    raw = read_beneath(folder, name, limit=MAX_GRAPH_BYTES)
    try:
        entry = msgspec.json.decode(raw, type=GraphEntry)
        operations = tuple(_operation(node) for node in entry.nodes)
        graph = Graph(entry.inputs[0], entry.weights, _declared(entry), operations, entry.output)
        _check_names(graph)
        _check_sizes(graph)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, _MalformedError) as error:
        raise EvidenceError(
            say(pl=f"{name} nie jest grafem modelu: {error}.", en=f"{name} is not a model's graph: {error}.")
        ) from error
    return graph


def names(value: object) -> Iterator[str]:
    """Yield the names that an argument refers to, in order."""
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, tuple):
        for item in value:
            yield from names(item)


class _MalformedError(Exception):
    """Part of a sentence: what is wrong with the graph."""


def _operation(node: NodeEntry) -> Operation:
    kwargs = {key: _argument(item, 0) for key, item in node.kwargs.items()}
    args = tuple(_argument(item, 0) for item in node.args)
    dtype = WORDS[f"torch.{node.dtype}"] if node.dtype else None
    autocast = WORDS[f"torch.{node.autocast}"] if node.autocast else None
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
        return WORDS.get(value, value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _MalformedError("an argument is larger than 64 bits")
    return value


def _declared(entry: GraphEntry) -> int:
    return sum(math.prod(declared.shape) for declared in entry.declared)


def _check_names(graph: Graph) -> None:
    known = {graph.input.name}
    for name in (weight.name for weight in graph.weights):
        _define(name, known)
    for operation in graph.operations:
        for reference in operation.references:
            if reference not in known:
                raise _MalformedError(f"{operation.name} reads {reference[:64]!r} before it is there")
        _define(operation.name, known)
    if graph.output not in known:
        raise _MalformedError("its output is never computed")


def _define(name: str, known: set[str]) -> None:
    if name in known:
        raise _MalformedError(f"the name {name} is given twice")
    known.add(name)


def _check_sizes(graph: Graph) -> None:
    shapes = [graph.input.shape, *(weight.shape for weight in graph.weights)]
    shapes += [operation.shape for operation in graph.operations if operation.shape is not None]
    if any(math.prod(shape) > MAX_ELEMENTS for shape in shapes):
        raise _MalformedError(f"it holds a tensor of more than {MAX_ELEMENTS} elements")
    if not graph.input.shape or graph.input.shape[0] < 1:
        raise _MalformedError("it takes no batch of images")
