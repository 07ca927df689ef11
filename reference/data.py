"""Fashion-MNIST and CIFAR-10 as tensors, found where they usually are.

`load` looks, in this order, into

1. the folder that the environment variable SPLOT_DATA names,
2. /usr/share/datasets/fashion-mnist, from Debian's package dataset-fashion-mnist,
3. ./data, where the assignment's notebook puts torchvision's download,
4. datasets/ in torch's own cache ($TORCH_HOME, by default ~/.cache/torch),

and, only if asked to, downloads into the last with torchvision. In each folder the data set may lie
directly or below torchvision's own names (FashionMNIST/raw, cifar-10-batches-py); Fashion-MNIST's
files may be gzipped. Whatever is found is checked: sizes, and that each of ten classes occurs.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import torch

from reference.formats import read_cifar10, read_fashion_mnist

CLASSES = 10
DEBIAN = Path("/usr/share/datasets/fashion-mnist")

Part = Literal["train", "test"]


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
    folder = _find(dataset, part)
    if folder is None and download:
        _download(dataset)
        folder = _find(dataset, part)
    if folder is None:
        raise DataNotFoundError(_not_found(dataset))
    read = read_fashion_mnist if dataset is Dataset.FASHION_MNIST else read_cifar10
    try:
        images, labels = read(folder, part)
    except (ValueError, OSError, EOFError) as error:
        raise DataDamagedError(f"{dataset} in {folder} cannot be read: {error}") from error
    return _checked(Images(torch.from_numpy(images), torch.from_numpy(labels)), dataset, folder)


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Turn (N, H, W) or (N, H, W, C) uint8 into (N, C, H, W) float32 in [0, 1], as `ToTensor` does.

    The values are what torchvision's `ToTensor` gives, to the last bit.
    """
    channels = images.unsqueeze(-1) if images.ndim == 3 else images
    return channels.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def _checked(images: Images, dataset: Dataset, folder: Path) -> Images:
    counts = torch.bincount(images.labels, minlength=CLASSES)
    if len(images.images) != len(images) or len(counts) != CLASSES or not counts.all():
        raise DataDamagedError(
            f"{dataset} in {folder} holds {len(images.images)} images and labels of "
            f"{int((counts > 0).sum())} classes, where every image has one of {CLASSES} labels."
        )
    return images


def _find(dataset: Dataset, part: Part) -> Path | None:
    """Return the folder that holds the data set's files themselves."""
    inner, names = _NAMES[dataset]
    first = names[part]
    for root in _roots():
        for folder in (root, root / inner):
            if (folder / first).is_file() or (folder / f"{first}.gz").is_file():
                return folder
    return None


_NAMES: dict[Dataset, tuple[str, dict[Part, str]]] = {
    Dataset.FASHION_MNIST: (
        "FashionMNIST/raw",
        {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"},
    ),
    Dataset.CIFAR10: ("cifar-10-batches-py", {"train": "data_batch_1", "test": "test_batch"}),
}


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
