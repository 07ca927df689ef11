"""The data profiles: which images the student's code sees, which only the grader has, in torchvision's own format."""

import importlib
import os
import pickle
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from autograder.engine.errors import GraderError
from autograder.engine.inside import after_import
from autograder.engine.report import Profile
from autograder.lesson.datasets import Split, data_folder, load_split, split
from autograder.lesson.recorders import CIFAR as CIFAR_MODULE
from autograder.lesson.recorders import _relax_cifar
from reference import data
from reference.data import Dataset, Images

FASHION, CIFAR = Dataset.FASHION_MNIST, Dataset.CIFAR10
needs_fashion_mnist = pytest.mark.skipif(
    not data.DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


def keys(images: Images) -> list[bytes]:
    """Return the bytes of each image."""
    return [image.numpy().tobytes() for image in images.images]


def numbered(n: int) -> Images:
    """Return n distinct images of ten classes, unevenly mixed."""
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 28, 28, dtype=torch.uint8)
    images[:, 0, :4] = torch.from_numpy(np.arange(n, dtype=">u4").view(np.uint8).reshape(n, 4))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3))
    return Images(images[order], labels[order])


@pytest.fixture(scope="module")
def cut() -> dict[Profile, Split]:
    """Cut data of the real sizes on both profiles."""
    train, test = numbered(60_000), numbered(10_000)
    return {profile: split(train, test, profile) for profile in (Profile.QUICK, Profile.MEDIUM, Profile.FULL)}


def test_each_part_has_the_lessons_size_and_every_class_alike(cut: dict[Profile, Split]) -> None:
    """6,000, 1,000 and 5,000 images on quick; on medium 24,000, on full all, 5,000 and 5,000; a tenth of each class."""
    sizes = {
        profile: [torch.bincount(part.labels).tolist() for part in (s.train, s.visible, s.held_out)]
        for profile, s in cut.items()
    }
    assert sizes == {
        Profile.QUICK: [[600] * 10, [100] * 10, [500] * 10],
        Profile.MEDIUM: [[2_400] * 10, [500] * 10, [500] * 10],
        Profile.FULL: [[6_000] * 10, [500] * 10, [500] * 10],
    }


def test_no_held_out_image_is_visible(cut: dict[Profile, Split]) -> None:
    """The test images fall into two parts without a common one, and full shows all that are not held out."""
    quick, full = cut[Profile.QUICK], cut[Profile.FULL]
    held_out = set(keys(full.held_out))
    assert len(held_out) == 5_000
    assert held_out.isdisjoint(keys(full.visible))
    assert held_out.isdisjoint(keys(quick.visible))
    assert len(held_out | set(keys(full.visible))) == 10_000


def test_both_profiles_are_judged_on_the_same_images(cut: dict[Profile, Split]) -> None:
    """Held-out images are the same, in the same order; what quick shows, full shows too."""
    quick, full = cut[Profile.QUICK], cut[Profile.FULL]
    assert keys(quick.held_out) == keys(full.held_out)
    assert torch.equal(quick.held_out.labels, full.held_out.labels)
    assert set(keys(quick.visible)) < set(keys(full.visible))


def test_the_cut_is_fixed_and_mixed(cut: dict[Profile, Split]) -> None:
    """Cut again it is the same, and no part comes sorted by class."""
    again = split(numbered(60_000), numbered(10_000), Profile.QUICK)
    assert torch.equal(again.train.images, cut[Profile.QUICK].train.images)
    assert len(set(cut[Profile.QUICK].train.labels[:20].tolist())) > 5


def test_labels_stay_with_their_images(cut: dict[Profile, Split]) -> None:
    """Every image of a part still has its own label."""
    whole = numbered(10_000)
    label = dict(zip(keys(whole), whole.labels.tolist(), strict=True))
    part = cut[Profile.FULL].held_out
    assert [label[key] for key in keys(part)] == part.labels.tolist()


@needs_fashion_mnist
def test_torchvision_reads_the_folder_and_it_holds_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets.FashionMNIST(root, download=True)` reads quick's split, and the files have not one byte beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = data_folder(Profile.QUICK, (FASHION,))
    parts = load_split(FASHION, Profile.QUICK)
    for train, part in ((True, parts.train), (False, parts.visible)):
        theirs = datasets.FashionMNIST(str(folder), train=train, download=True)
        assert torch.equal(theirs.data, part.images)
        assert torch.equal(theirs.targets, part.labels)
    sizes = sorted(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert sizes == sorted([16 + 6_000 * 784, 8 + 6_000, 16 + 1_000 * 784, 8 + 1_000])


@needs_fashion_mnist
def test_any_user_may_read_the_folder_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox runs as another user: folders are 0755, files 0644, and nothing half-written lies beside them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = os.umask(0o077)
    try:
        folder = data_folder(Profile.QUICK, (FASHION,))
    finally:
        os.umask(before)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {True: 0o755, False: 0o644}
    assert [path.name for path in folder.parent.iterdir()] == ["quick"]


@needs_fashion_mnist
def test_the_folder_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call leaves the files as they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    times = [
        {path: path.stat().st_mtime_ns for path in data_folder(Profile.QUICK, (FASHION,)).rglob("*")} for _ in range(2)
    ]
    assert times[0] == times[1]
    assert len(times[0]) == 6


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine with a small CIFAR-10 of random pixels, and return where its cache is."""
    folder = tmp_path / "named" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(5)
    for name, n in [(f"data_batch_{i}", 1_300) for i in range(1, 6)] + [("test_batch", 6_100)]:
        rows = draw.integers(0, 256, (n, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": [i % 10 for i in range(n)]}))
    monkeypatch.setenv("SPLOT_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def relaxed_cifar10(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import torchvision's class anew, as a kernel in the sandbox imports it."""
    monkeypatch.delitem(sys.modules, CIFAR_MODULE)
    monkeypatch.setattr(datasets, "cifar", datasets.cifar)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    after_import(CIFAR_MODULE, _relax_cifar)
    return importlib.import_module(CIFAR_MODULE).CIFAR10


def test_cifar10s_own_class_reads_the_folder(cifar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the MD5 check relaxed as in the sandbox, `datasets.CIFAR10(root, download=True)` reads quick's split."""
    folder = data_folder(Profile.QUICK, (CIFAR,))
    assert folder.is_relative_to(cifar)
    parts = load_split(CIFAR, Profile.QUICK)
    assert (len(parts.train), len(parts.visible), len(parts.held_out)) == (6_000, 1_000, 5_000)
    relaxed = relaxed_cifar10(monkeypatch)
    for train, part in ((True, parts.train), (False, parts.visible)):
        theirs = relaxed(str(folder), train=train, download=True)
        assert np.array_equal(theirs.data, part.images.numpy())
        assert theirs.targets == part.labels.tolist()
        assert theirs.classes == [
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ]


def test_no_held_out_image_of_cifar10_is_written(cifar: Path) -> None:
    """No file of the folder holds the bytes of a held-out image."""
    folder = data_folder(Profile.QUICK, (CIFAR,))
    assert folder.is_relative_to(cifar)
    seen = {bytes(row) for path in folder.rglob("*_batch*") for row in pickle.loads(path.read_bytes())["data"]}  # noqa: S301 - our own
    rows = load_split(CIFAR, Profile.QUICK).held_out.images.permute(0, 3, 1, 2).reshape(-1, 3072).numpy()
    assert len(seen) == 7_000
    assert seen.isdisjoint(bytes(row) for row in rows)


def test_a_data_set_that_is_not_here_is_the_graders_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 on a machine without it: one sentence, nothing written, no student at fault."""
    monkeypatch.setattr(data, "DEBIAN", tmp_path / "no-package")
    monkeypatch.setenv("SPLOT_DATA", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraderError, match="CIFAR10 is in none of"):
        load_split(CIFAR, Profile.QUICK)
    assert list(data_folder(Profile.QUICK).iterdir()) == []
