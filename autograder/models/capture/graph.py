"""A model as data: one list of tensor operations, and the weights beside it as plain arrays.

`folder/graph.json` holds the operations of the model in evaluation mode, `folder/train.json` (where there is one) those
in training mode, `folder/weights.npz` the arrays that either of them names. No pickle, no code. What each entry must
look like is defined where it is checked: `models/rebuild/schema.py`.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

VERSION = 1

Entry = dict[str, Any]


class ExportError(Exception):
    """The model cannot be written as a graph: one sentence that says why."""


def type_name(dtype: torch.dtype) -> str:
    """Return a dtype as graphs name it: float32."""
    return str(dtype).removeprefix("torch.")


@dataclass
class Weights:
    """The arrays for weights.npz, copied when first named, so that later tracing cannot change them."""

    model: nn.Module
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    keys: dict[object, str] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.targets: dict[object, tuple[str, str]] = {}
        for kind, tensors in (
            ("parameter", self.model.named_parameters()),
            ("buffer", self.model.named_buffers()),
        ):
            for target, tensor in tensors:
                self.kept.append(tensor)
                for mark in _marks(tensor):
                    self.targets.setdefault(mark, (kind, target))

    def entry(self, name: str, tensor: Tensor) -> Entry:
        """Return the graph's entry for a tensor, its array kept under one key however often it is named."""
        marks = _marks(tensor)
        key = next((self.keys[mark] for mark in marks if mark in self.keys), None)
        if key is None:
            key = f"w{len(self.arrays)}"
            self.arrays[key] = _array(tensor)
            self.kept.append(tensor)
            self.keys.update(dict.fromkeys(marks, key))
        kind, target = next((self.targets[mark] for mark in marks if mark in self.targets), ("constant", name))
        typed = {"shape": list(tensor.shape), "dtype": type_name(tensor.dtype)}
        return {"name": name, "kind": kind, "target": target, "key": key, **typed}


def _marks(tensor: Tensor) -> list[object]:
    """Return the keys that identify a tensor: the object, and its memory (`p.data` is the same weight)."""
    marks: list[object] = [id(tensor)]
    if type(tensor) in {Tensor, nn.Parameter} and tensor.layout is torch.strided and tensor.numel():
        marks.append((tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype))
    return marks


def _array(tensor: Tensor) -> np.ndarray:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex():
        raise ExportError(f"A weight is neither dense nor real (it is {tensor.dtype}, {tensor.layout}).")
    plain = tensor.detach().cpu().contiguous().clone()
    if plain.dtype is torch.bfloat16:  # NumPy has no bfloat16: its bits travel as uint16
        plain = plain.view(torch.uint16)
    return plain.numpy()


@dataclass
class TracedGraph:
    """The operations of one tracing, in the order in which they ran."""

    weights: Weights
    inputs: list[Entry] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    nodes: list[Entry] = field(default_factory=list)
    output: str = ""

    def add_input(self, name: str, tensor: Tensor) -> None:
        """Note the tensor that the model takes."""
        self.inputs.append({"name": name, "shape": list(tensor.shape), "dtype": type_name(tensor.dtype)})

    def add_weight(self, name: str, tensor: Tensor) -> None:
        """Note a tensor that is not computed from the input."""
        if tensor.device.type == "meta":
            raise ExportError(f"The tensor {name} holds no values.")
        self.entries[name] = self.weights.entry(name, tensor)

    def add_node(
        self, name: str, op: str, args: list[object], kwargs: Entry, result: object, autocast: str | None = None
    ) -> None:
        """Note an operation with its encoded arguments; shape and dtype are null where it returns several tensors."""
        shape = [int(size) for size in result.shape] if isinstance(result, Tensor) else None
        dtype = type_name(result.dtype) if isinstance(result, Tensor) else None
        node = {"name": name, "op": op, "args": args, "kwargs": kwargs}
        self.nodes.append({**node, "shape": shape, "dtype": dtype, "autocast": autocast})

    def close(self, output: str) -> None:
        """Name the output, drop weights nothing reads, refuse an output that is not computed from the input."""
        self.output = output
        reached = {entry["name"] for entry in self.inputs}
        read: set[str] = {output}
        first: dict[str, str] = {}
        for node in self.nodes:
            name, args = node["name"], node["args"]
            references = _references([args, node["kwargs"]])
            read |= references
            if args and isinstance(args[0], dict):
                first[name] = args[0]["node"]
            if references & reached:
                reached.add(name)
                if node["op"].startswith("aten.") and node["op"].split(".")[1].endswith("_"):
                    while name in first:  # what is changed in place may be a view: what it shows changes too
                        name = first[name]
                        reached.add(name)
        if output not in reached:
            raise ExportError("The model's output is not computed from its input by tensor operations.")
        self.entries = {name: entry for name, entry in self.entries.items() if name in read}

    def write(self, path: Path, method: str) -> None:
        """Write the graph as JSON."""
        parameters = self.weights.model.named_parameters()
        document = {
            "version": VERSION,
            "method": method,
            "inputs": self.inputs,
            "weights": list(self.entries.values()),
            "declared": [{"name": name, "shape": list(parameter.shape)} for name, parameter in parameters],
            "nodes": self.nodes,
            "output": self.output,
        }
        path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")


def encode(value: object, name_of: Callable[[object], str | None]) -> Any:
    """Turn an operation's argument into JSON: tensors by name, dtypes and formats as text.

    Devices, layouts and generators become null: the judge chooses its own.
    """
    name = name_of(value)
    if name is not None:
        return {"node": name}
    if isinstance(value, list | tuple):
        return [encode(item, name_of) for item in value]
    return _encode_plain(value)


def _encode_plain(value: object) -> object:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | torch.SymInt):
        return int(value)
    if isinstance(value, float | torch.SymFloat):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, torch.dtype | torch.memory_format):
        return str(value)
    if not isinstance(value, torch.device | torch.layout | torch.Generator):
        raise ExportError(f"An operation takes a {type(value).__name__}, which cannot be written down.")
    return None


def _references(value: object) -> set[str]:
    if isinstance(value, dict):
        return {value["node"]} if "node" in value else _references(list(value.values()))
    if isinstance(value, list):
        return set().union(*(_references(item) for item in value)) if value else set()
    return set()
