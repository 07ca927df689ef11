"""Safe reading of `weights.npz`: sizes are checked before anything is read, nothing is unpickled or unpacked."""

import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.engine.files import open_beneath, parse_array
from autograder.engine.text import say
from autograder.models import MAX_WEIGHT_BYTES, too_heavy

from .schema import MAX_NODES, WORDS, WeightEntry

HEADER = 4_096  # bytes of a .npy header, at most


def read_weights(folder: Path, entries: tuple[WeightEntry, ...]) -> dict[str, Tensor]:
    """Read the arrays that the graph names, by key; raises `EvidenceError` unless each is exactly as declared."""
    wanted: dict[str, WeightEntry] = {}
    for entry in entries:
        first = wanted.setdefault(entry.key, entry)
        if (first.shape, first.dtype) != (entry.shape, entry.dtype):
            raise EvidenceError(
                say(
                    pl=f"Graf opisuje tensor {entry.key} z weights.npz na dwa sposoby.",
                    en=f"The graph declares {entry.key} of weights.npz in two ways.",
                )
            )
    if sum(_size(entry) for entry in wanted.values()) > MAX_WEIGHT_BYTES:
        raise too_heavy("weights.npz")
    with open_beneath(folder, "weights.npz", limit=MAX_WEIGHT_BYTES) as file:
        try:
            return _read(file, wanted)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError,
                OverflowError) as error:  # fmt: skip
            raise EvidenceError(
                say(
                    pl=f"weights.npz nie jest czytelnym archiwum: {error}.",
                    en=f"weights.npz is not a readable archive: {error}.",
                )
            ) from error


def _read(file: BinaryIO, wanted: dict[str, WeightEntry]) -> dict[str, Tensor]:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) != len(archive.infolist()) or len(members) > MAX_NODES:
            raise EvidenceError(
                say(
                    pl="weights.npz zawiera za dużo plików albo któryś dwa razy.",
                    en="weights.npz holds too many members, or one twice.",
                )
            )
        tensors = {}
        for key, entry in wanted.items():
            member = members.get(f"{key}.npy")
            if member is None:
                raise EvidenceError(
                    say(
                        pl=f"W weights.npz brakuje tensora {key}, z którego korzysta graf.",
                        en=f"weights.npz lacks {key}, which the graph reads.",
                    )
                )
            tensors[key] = _tensor(archive, member, entry)
    return tensors


def _tensor(archive: zipfile.ZipFile, member: zipfile.ZipInfo, entry: WeightEntry) -> Tensor:
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > _size(entry) + HEADER:
        raise EvidenceError(
            say(
                pl=f"Tensor {entry.key} w weights.npz jest spakowany albo większy, niż podaje graf.",
                en=f"{entry.key} of weights.npz is packed, or larger than the graph says.",
            )
        )
    with archive.open(member) as stream:
        raw = stream.read(_size(entry) + HEADER + 1)
    array = parse_array(raw, f"weights.npz/{entry.key}")
    if array.shape != entry.shape or array.dtype != _numpy_type(entry.dtype):
        raise EvidenceError(
            say(
                pl=f"Tensor {entry.key} w weights.npz ma inny kształt lub typ, niż podaje graf.",
                en=f"{entry.key} of weights.npz has not the shape and type that the graph says.",
            )
        )
    tensor = torch.from_numpy(np.array(array, order="C"))
    return tensor.view(torch.bfloat16) if entry.dtype == "bfloat16" else tensor


def _numpy_type(dtype: str) -> np.dtype[np.generic]:
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


def _size(entry: WeightEntry) -> int:
    dtype: torch.dtype = WORDS[f"torch.{entry.dtype}"]
    return math.prod(entry.shape) * dtype.itemsize
