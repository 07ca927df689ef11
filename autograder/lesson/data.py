"""The data a submission is run on: which images its code sees, and which only the grader has.

`quick` gives 6,000 training and 1,000 test images, `full` all training images and 5,000 test images; both are judged on
the same 5,000 held-out test images, which never enter the sandbox. Splits are stratified and fixed by a seed. They are
written once per machine, in torchvision's own on-disk format, so that `datasets.FashionMNIST("./data")` finds them.
"""

import os
import pickle
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from autograder.engine.errors import GraderError
from autograder.engine.report import Profile
from reference.data import DataNotFoundError, Dataset, Images, load

VERSION = "1"
SEED = 20261123
CLASSES = 10
TRAIN_QUICK, VISIBLE_QUICK, HELD_OUT = 6_000, 1_000, 5_000


@dataclass(frozen=True)
class Split:
    """Training and test images the student's code sees, and the held-out ones it never does."""

    train: Images
    visible: Images
    held_out: Images


def split(train: Images, test: Images, profile: Profile) -> Split:
    """Cut a data set for `profile`, each part with every class alike."""
    held_out, visible = _halves(test.labels, HELD_OUT, SEED)
    chosen = torch.arange(len(train.labels))
    if profile is Profile.QUICK:
        chosen, _ = _halves(train.labels, TRAIN_QUICK, SEED + 1)
        first, _ = _halves(test.labels[visible], VISIBLE_QUICK, SEED + 2)
        visible = visible[first]
    return Split(_take(train, chosen), _take(test, visible), _take(test, held_out))


def _halves(labels: torch.Tensor, n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw `n` indices, as many of each class, and return them and the rest, each in mixed order."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    mixed = labels[order]
    rank = torch.zeros_like(mixed)
    for label in range(CLASSES):
        mask = mixed == label
        rank[mask] = torch.arange(int(mask.sum()), dtype=rank.dtype)
    chosen = rank < n // CLASSES
    return order[chosen], order[~chosen]


def _take(images: Images, index: torch.Tensor) -> Images:
    return Images(images.images[index], images.labels[index])


def load_split(dataset: Dataset, profile: Profile) -> Split:
    """Load a data set and cut it; raises `GraderError` where it is not on this machine."""
    try:
        return split(load(dataset, "train"), load(dataset, "test"), profile)
    except DataNotFoundError as error:
        raise GraderError(str(error)) from error


def data_folder(profile: Profile, datasets: tuple[Dataset, ...] = tuple(Dataset)) -> Path:
    """Return the folder to bind at `./data`, written first where it is not there yet."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "splot" / f"data-{VERSION}"
    folder = root / profile
    for dataset in datasets:
        if not (folder / _NAMES[dataset]).exists() and available(dataset):
            _write(load_split(dataset, profile), dataset, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o005 != 0o005:
        folder.chmod(0o755)  # the sandbox's user is another, whatever the umask
    return folder


def available(dataset: Dataset) -> bool:
    """Whether the data set is on this machine."""
    try:
        load(dataset, "test")
    except DataNotFoundError:
        return False
    return True


_NAMES = {Dataset.FASHION_MNIST: "FashionMNIST", Dataset.CIFAR10: "cifar-10-batches-py"}


def _write(parts: Split, dataset: Dataset, folder: Path) -> None:
    """Write aside, then rename: a data set is on disk whole or not at all, whoever writes at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
    try:
        writer = _write_idx if dataset is Dataset.FASHION_MNIST else _write_batches
        writer(parts, aside / _NAMES[dataset])
        for path in [aside, *aside.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            (aside / _NAMES[dataset]).rename(folder / _NAMES[dataset])
        except OSError:
            if not (folder / _NAMES[dataset]).exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_idx(parts: Split, folder: Path) -> None:
    """Write MNIST's IDX files (http://yann.lecun.com/exdb/mnist): a magic number, the sizes, the bytes."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    for prefix, part in (("train", parts.train), ("t10k", parts.visible)):
        for kind, array in (("images-idx3", part.images), ("labels-idx1", part.labels)):
            values = array.numpy().astype(np.uint8)
            header = np.array([0x0800 + values.ndim, *values.shape], dtype=">u4").tobytes()
            (raw / f"{prefix}-{kind}-ubyte").write_bytes(header + values.tobytes())


def _write_batches(parts: Split, folder: Path) -> None:
    """Write CIFAR-10's Python batches (https://www.cs.toronto.edu/~kriz/cifar.html), five of them for training."""
    folder.mkdir(parents=True)
    for number, index in enumerate(np.array_split(np.arange(len(parts.train.labels)), 5), start=1):
        _write_batch(_take(parts.train, torch.from_numpy(index)), folder / f"data_batch_{number}")
    _write_batch(parts.visible, folder / "test_batch")
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


def _write_batch(images: Images, path: Path) -> None:
    rows = images.images.permute(0, 3, 1, 2).reshape(len(images.labels), -1).numpy()
    path.write_bytes(pickle.dumps({"data": rows, "labels": images.labels.tolist()}))
