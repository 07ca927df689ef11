"""A data set of 1,350 images, easily learnt, in place of Fashion-MNIST."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPLITS = {"train": 700, "t10k": 650}  # more than Validate takes


def write_idx(path: Path, array: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    """Write bytes as torchvision reads them back: MNIST's IDX format."""
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small, easily learnt data set where torchvision looks for Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("student")
    raw = folder / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, count in SPLITS.items():
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = generator.integers(0, 20, (count, 28, 28)) + 23 * labels[:, None, None]  # a class is a shade of grey
        write_idx(raw / f"{split}-images-idx3-ubyte", images.astype(np.uint8))
        write_idx(raw / f"{split}-labels-idx1-ubyte", labels)
    return folder
