"""The tensors a graph reads, copied once each into plain arrays for weights.npz."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

type_names = {dtype: str(dtype).removeprefix("torch.") for dtype in vars(torch).values()
              if isinstance(dtype, torch.dtype)}  # fmt: skip


class ExportError(Exception):
    """The model cannot be written as a graph: one sentence that says why."""


@dataclass(frozen=True)
class WeightEntry:
    """A tensor the graph reads: its name there, the model's name for it, its key in weights.npz."""

    name: str
    kind: str
    target: str
    key: str
    shape: list[int]
    dtype: str


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

    def entry(self, name: str, tensor: Tensor) -> WeightEntry:
        """Return the graph's entry for a tensor, its array kept under one key however often it is named."""
        marks = _marks(tensor)
        key = next((self.keys[mark] for mark in marks if mark in self.keys), None)
        if key is None:
            key = f"w{len(self.arrays)}"
            self.arrays[key] = _array(tensor)
            self.kept.append(tensor)
            self.keys.update(dict.fromkeys(marks, key))
        kind, target = next((self.targets[mark] for mark in marks if mark in self.targets), ("constant", name))
        dtype = type_names[tensor.dtype]
        return WeightEntry(name, kind, target, key, list(tensor.shape), dtype)


def _marks(tensor: Tensor) -> list[object]:
    """Give what identifies a tensor: the object, and the memory it shows (`p.data` is the same weight)."""
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
