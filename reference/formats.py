"""The data sets' file formats: MNIST's IDX files and CIFAR-10's Python batches.

CIFAR-10 comes as pickles. They are read by an unpickler that can build nothing but NumPy arrays,
so that a file that is not what it says cannot run code.
"""

import gzip
import io
import math
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

_PREFIX = {"train": "train", "test": "t10k"}
_BATCHES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}


def read_fashion_mnist(folder: Path, part: Literal["train", "test"]) -> tuple[Bytes, Labels]:
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


def read_cifar10(folder: Path, part: Literal["train", "test"]) -> tuple[Bytes, Labels]:
    """Read images (N, 32, 32, 3) uint8 and labels (N,) int64. Raises `ValueError` for other files.

    Format: https://www.cs.toronto.edu/~kriz/cifar.html, a row an image, its channels one by one.
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
