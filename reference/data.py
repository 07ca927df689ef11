"""Loads Fashion-MNIST and CIFAR-10 as tensors from the usual folders.

`load` looks, in this order, into

1. the folder that the environment variable SPLOT_DATA names,
2. /usr/share/datasets/fashion-mnist, from Debian's package dataset-fashion-mnist,
3. ./data, where the assignment's notebook puts torchvision's download,
4. datasets/ in torch's own cache ($TORCH_HOME, by default ~/.cache/torch),

and, only if asked to, downloads into the last with torchvision. In each folder the data set may lie
directly or below torchvision's own names (FashionMNIST/raw, cifar-10-batches-py); Fashion-MNIST's
files may be gzipped. Whatever is found is checked: sizes, and that each of ten classes occurs.

CIFAR-10 comes as pickles. They are read by an unpickler that can build nothing but NumPy arrays,
so that a file that is not what it says cannot run code.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # imported where tensors are made: whether a data set is here can be said without it
    import torch

CLASSES = 10
DEBIAN = Path("/usr/share/datasets/fashion-mnist")

Part = Literal["train", "test"]
Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

_PREFIX = {"train": "train", "test": "t10k"}
_BATCHES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}


class Dataset(StrEnum):
    """The two data sets a student may choose, by torchvision's names."""

    FASHION_MNIST = "FashionMNIST"
    CIFAR10 = "CIFAR10"


class DataNotFoundError(Exception):
    """The data set is not on this machine. The message says where it was looked for."""


class DataDamagedError(DataNotFoundError):
    """The data set is there, and is not what it should be."""


@dataclass(frozen=True)
class Images:
    """Images (N, H, W) or (N, H, W, 3), uint8 in 0…255, and their classes (N,), int64 in 0…9."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def load(dataset: Dataset, part: Part, *, download: bool = False) -> Images:
    """Find and read one part of a data set: 28 x 28 grey or 32 x 32 RGB images.

    Raises `DataNotFoundError` where it is not on this machine, and `DataDamagedError` where it is
    and its files are not what they should be.
    """
    import torch  # noqa: PLC0415 - see above

    images, labels = read(dataset, part, download=download)
    return Images(torch.from_numpy(images), torch.from_numpy(labels))


def read(dataset: Dataset, part: Part, *, download: bool = False) -> tuple[Bytes, Labels]:
    """Do the same as `load`, but return arrays."""
    folder = find(dataset, part)
    if folder is None and download:
        _download(dataset)
        folder = find(dataset, part)
    if folder is None:
        raise DataNotFoundError(_not_found(dataset))
    read_files = _read_fashion_mnist if dataset is Dataset.FASHION_MNIST else _read_cifar10
    try:
        images, labels = read_files(folder, part)
    except (ValueError, OSError, EOFError) as error:
        raise DataDamagedError(f"{dataset} in {folder} cannot be read: {error}") from error
    counts = np.bincount(labels, minlength=CLASSES)
    if len(images) != len(labels) or len(counts) != CLASSES or not counts.all():
        raise DataDamagedError(
            f"{dataset} in {folder} holds {len(images)} images and labels of "
            f"{int((counts > 0).sum())} classes, where every image has one of {CLASSES} labels."
        )
    return images, labels


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Turn (N, H, W) or (N, H, W, C) uint8 into (N, C, H, W) float32 in [0, 1], as `ToTensor` does.

    The values are what torchvision's `ToTensor` gives, to the last bit.
    """
    import torch  # noqa: PLC0415 - see above

    channels = images.unsqueeze(-1) if images.ndim == 3 else images
    return channels.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def find(dataset: Dataset, part: Part) -> Path | None:
    """Return the folder that holds the data set's files themselves; None where it is not on this machine.

    Raises `DataNotFoundError` where SPLOT_DATA names no folder.
    """
    if dataset is Dataset.FASHION_MNIST:
        inner, first = "FashionMNIST/raw", f"{_PREFIX[part]}-images-idx3-ubyte"
    else:
        inner, first = "cifar-10-batches-py", _BATCHES[part][0]
    for root in _roots():
        for folder in (root, root / inner):
            if (folder / first).is_file() or (folder / f"{first}.gz").is_file():
                return folder
    return None


def _roots() -> Iterator[Path]:
    named = os.environ.get("SPLOT_DATA")
    if named:
        if not Path(named).is_dir():
            raise DataNotFoundError(f"SPLOT_DATA names {named}, which is not a folder.")
        yield Path(named)
    yield DEBIAN
    yield Path("data")
    yield _cache()


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or home / "torch") / "datasets"


def _download(dataset: Dataset) -> None:
    # Imported here: torchvision takes seconds to import, and only a download needs it.
    from torchvision import datasets  # noqa: PLC0415

    try:
        getattr(datasets, dataset.value)(root=str(_cache()), download=True)
    except (OSError, RuntimeError) as error:
        raise DataNotFoundError(f"{dataset} could not be downloaded: {error}") from error


def _not_found(dataset: Dataset) -> str:
    places = ", ".join(str(root) for root in _roots())
    remedy = {
        Dataset.FASHION_MNIST: "install Debian's package dataset-fashion-mnist, or name the folder "
        "of its four IDX files",
        Dataset.CIFAR10: "unpack cifar-10-python.tar.gz and name the folder",
    }[dataset]
    return f"{dataset} is in none of {places}: {remedy} in SPLOT_DATA."


def _read_fashion_mnist(folder: Path, part: Literal["train", "test"]) -> tuple[Bytes, Labels]:
    """Read images (N, 28, 28) uint8 and labels (N,) int64. Raises `ValueError` for other files."""
    images = read_idx(folder / f"{_PREFIX[part]}-images-idx3-ubyte")
    labels = read_idx(folder / f"{_PREFIX[part]}-labels-idx1-ubyte")
    if images.shape[1:] != (28, 28) or labels.ndim != 1:
        raise ValueError(f"images of shape {images.shape} and labels of shape {labels.shape}.")
    return images, labels.astype(np.int64)


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of bytes, gzipped or not (format: http://yann.lecun.com/exdb/mnist).

    Two zero bytes, the type (8: uint8), the number of dimensions, each dimension as a big-endian
    32-bit number, then the values. Raises `ValueError` where the file is anything else.
    """
    packed = path.with_name(f"{path.name}.gz")
    content = path.read_bytes() if path.is_file() else gzip.decompress(packed.read_bytes())
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes.")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path.name} ends within its header.")
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    values = np.frombuffer(content, dtype=np.uint8, offset=start)
    if math.prod(shape) != values.size:
        raise ValueError(f"{path.name} says {shape} and holds {values.size} values.")
    return values.reshape(shape).copy()


def _read_cifar10(folder: Path, part: Literal["train", "test"]) -> tuple[Bytes, Labels]:
    """Read images (N, 32, 32, 3) uint8 and labels (N,) int64. Raises `ValueError` for other files.

    Format: https://www.cs.toronto.edu/~kriz/cifar.html, one row per image, its channels one by one.
    """
    batches = [_read_batch(folder / name) for name in _BATCHES[part]]
    rows = np.concatenate([rows for rows, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def _read_batch(path: Path) -> tuple[Bytes, Labels]:
    try:
        batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (pickle.UnpicklingError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise ValueError(f"{path.name} is not a CIFAR-10 batch: {error}") from error
    rows = batch.get("data") if isinstance(batch, dict) else None
    labels = batch.get("labels") if isinstance(batch, dict) else None
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or not isinstance(labels, list):
        raise ValueError(f"{path.name} has no data and labels of CIFAR-10.")
    if rows.shape != (len(labels), 3 * 32 * 32):
        raise ValueError(f"{path.name} holds rows {rows.shape} for {len(labels)} labels.")
    if not all(type(label) is int and 0 <= label < 10 for label in labels):
        raise ValueError(f"{path.name} holds labels other than 0…9.")
    return rows, np.array(labels, dtype=np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Builds NumPy arrays, numbers, texts and containers; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        # NumPy 2 calls numpy.core numpy._core; either may have written the file.
        known = (module.replace("numpy.core", "numpy._core"), name)
        if known not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}.")
        return super().find_class(*known)


_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}
