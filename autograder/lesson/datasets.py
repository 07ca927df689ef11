"""The data sets: which one a submission chose, and how it is split into visible and held-out images.

`quick` gives 6,000 training and 1,000 test images, `medium` 24,000 and 5,000, `full` all training images and 5,000 test
images; all are judged on the same 5,000 held-out test images, which never enter the sandbox. Splits are stratified and
fixed by a seed. They are written once per machine, in torchvision's own on-disk format, so that
`datasets.FashionMNIST("./data")` finds them.
"""

from __future__ import annotations

import ast
import os
import pickle
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autograder.engine.errors import GraderError
from autograder.engine.notebook import Submission, parse_cell
from autograder.engine.report import Profile
from reference.data import CLASSES, DataNotFoundError, Dataset, Images, find, load, read

if TYPE_CHECKING:  # imported where images are drawn: a notebook starts in the sandbox without it
    import torch

VERSION = "1"
SEED = 20261123
TRAIN_QUICK, TRAIN_MEDIUM, VISIBLE_QUICK, HELD_OUT = 6_000, 24_000, 1_000, 5_000
TRAINED_ON = {Profile.QUICK: TRAIN_QUICK, Profile.MEDIUM: TRAIN_MEDIUM}
"""Training images of each profile that has not all."""
FOLDERS = {Dataset.FASHION_MNIST: "FashionMNIST", Dataset.CIFAR10: "cifar-10-batches-py"}


def chosen_dataset(submission: Submission) -> Dataset:
    """Return the data set the notebook's source chooses; raises `GraderError` where it is not on this machine."""
    chosen = Dataset.FASHION_MNIST
    for cell in submission.cells:
        if cell.kind == "code":
            chosen = _assigned(cell.source) or chosen
    if not available(chosen):
        raise GraderError(
            f"The notebook uses {chosen}, and that data set is not on this machine; `splot doctor` says how to get it."
        )
    return chosen


def _assigned(source: str) -> Dataset | None:
    """Return what a cell assigns to DATASET, if it does so by a literal; else the one torchvision class it uses."""
    tree = parse_cell(source)
    literal = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if "DATASET" in names and node.value.value in set(Dataset):
                literal = Dataset(str(node.value.value))
    used = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute | ast.Name)
    }
    classes = [dataset for dataset in Dataset if dataset in used]
    return literal or (classes[0] if len(classes) == 1 else None)


def available(dataset: Dataset) -> bool:
    """Whether the data set is on this machine."""
    try:
        read(dataset, "test")
    except DataNotFoundError:
        return False
    return True


@dataclass(frozen=True)
class EvaluationImages:
    """The test images that the student's code sees, and the held-out ones that it never does."""

    visible: Images
    held_out: Images


@dataclass(frozen=True)
class Split(EvaluationImages):
    """The images of a profile, those for training too."""

    train: Images


def load_evaluation_images(dataset: Dataset, profile: Profile) -> EvaluationImages:
    """Load what models are measured on, once per process; raises `GraderError` where it is not on this machine."""
    try:
        folder = find(dataset, "test")
        return _evaluation_images(dataset, folder and folder.resolve())[profile]
    except DataNotFoundError as error:
        raise GraderError(str(error)) from error


@lru_cache(maxsize=len(Dataset))
def _evaluation_images(dataset: Dataset, _folder: Path | None) -> dict[Profile, EvaluationImages]:
    """Load and split the test images, again only if they are now found in another folder."""
    return split_test(load(dataset, "test"))


def load_split(dataset: Dataset, profile: Profile) -> Split:
    """Load a data set and cut it; raises `GraderError` where it is not on this machine."""
    try:
        return split(load(dataset, "train"), load(dataset, "test"), profile)
    except DataNotFoundError as error:
        raise GraderError(str(error)) from error


def split(train: Images, test: Images, profile: Profile) -> Split:
    """Split a data set for `profile`, with equally many images of each class in every part."""
    import torch  # noqa: PLC0415 - see above

    chosen = torch.arange(len(train.labels))
    if profile is Profile.MEDIUM:
        chosen, _ = _draw(train.labels, TRAIN_MEDIUM, SEED + 1)
    if profile is Profile.QUICK:
        chosen, _ = _draw(train.labels, TRAIN_QUICK, SEED + 1)
    evaluation = split_test(test)[profile]
    return Split(evaluation.visible, evaluation.held_out, _take(train, chosen))


def split_test(test: Images) -> dict[Profile, EvaluationImages]:
    """Split the test images likewise, for every profile; the held-out ones are the same in all."""
    held_out, visible = (_take(test, index) for index in _draw(test.labels, HELD_OUT, SEED))
    first, _ = _draw(visible.labels, VISIBLE_QUICK, SEED + 2)
    few = _take(visible, first)
    return {profile: EvaluationImages(few if profile is Profile.QUICK else visible, held_out) for profile in Profile}


def _draw(labels: torch.Tensor, n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw `n` indices, equally many of each class; return them and the rest, both shuffled."""
    import torch  # noqa: PLC0415 - likewise

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


def data_folder(profile: Profile, datasets: tuple[Dataset, ...] = tuple(Dataset)) -> Path:
    """Return the folder to bind at `./data`, written first where it is not there yet."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "splot" / f"data-{VERSION}"
    folder = root / profile
    for dataset in datasets:
        if not (folder / FOLDERS[dataset]).exists() and available(dataset):
            _write(load_split(dataset, profile), dataset, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o005 != 0o005:
        folder.chmod(0o755)  # the sandbox's user is another, whatever the umask
    return folder


def _write(parts: Split, dataset: Dataset, folder: Path) -> None:
    """Write a data set to a temporary folder, then rename it: concurrent processes never see half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
    written, target = aside / FOLDERS[dataset], folder / FOLDERS[dataset]
    try:
        writer = _write_idx if dataset is Dataset.FASHION_MNIST else _write_batches
        writer(parts, written)
        for path in [aside, *aside.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            written.rename(target)
        except OSError:
            if not target.exists():
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
    import torch  # noqa: PLC0415 - likewise

    folder.mkdir(parents=True)
    indices = torch.arange(len(parts.train.labels)).tensor_split(5)
    batches = {f"data_batch_{number}": _take(parts.train, index) for number, index in enumerate(indices, start=1)}
    for name, images in (batches | {"test_batch": parts.visible}).items():
        rows = images.images.permute(0, 3, 1, 2).reshape(len(images.labels), -1).numpy()
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": images.labels.tolist()}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
