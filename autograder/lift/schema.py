"""The form of `graph.json` and `train.json`: what does not fit these types is refused."""

from typing import Annotated, Any, Literal

import msgspec

MAX_NODES = 20_000
MAX_ELEMENTS = 2**28
MAX_GRAPH_BYTES = 16_000_000
MAX_WEIGHT_BYTES = 512_000_000  # of all models of a submission together, so of each as well

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
