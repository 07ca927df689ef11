import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets, transforms

from reference import data
from reference.data import DataDamagedError, DataNotFoundError, Dataset, Images, load, read_idx, to_float

FASHION, CIFAR = Dataset.FASHION_MNIST, Dataset.CIFAR10
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
needs_fashion_mnist = pytest.mark.skipif(
    not data.DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine without data sets: an empty folder that SPLOT_DATA names, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "DEBIAN", tmp_path / "no-package")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SPLOT_DATA", str(tmp_path / "named"))
    (tmp_path / "named").mkdir()
    return tmp_path / "named"


def _idx(values: np.ndarray) -> bytes:
    sizes = np.array(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def _pixels(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (n, *shape), dtype=np.uint8)


def _write_fashion(folder: Path, n: int = 20) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    images = _pixels(n, 28, 28)
    (folder / IMAGES).write_bytes(_idx(images))
    (folder / LABELS).write_bytes(_idx(np.arange(n) % 10))
    return images


def _write_cifar(folder: Path, protocol: int, n: int = 20) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    rows = _pixels(n, 3072)
    batch = {"data": rows, "labels": [i % 10 for i in range(n)], "batch_label": "testing"}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, protocol=protocol))
    return rows


@needs_fashion_mnist
def test_fashion_mnist_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    """Every image and label of the test part equals torchvision's own reading, in its order."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in (IMAGES, LABELS, "train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (raw / name).write_bytes(gzip.decompress((data.DEBIAN / f"{name}.gz").read_bytes()))
    theirs = datasets.FashionMNIST(str(tmp_path), train=False)
    ours = load(FASHION, "test")
    assert torch.equal(ours.images, theirs.data)
    assert torch.equal(ours.labels, theirs.targets)


@needs_fashion_mnist
def test_fashion_mnist_is_whole() -> None:
    """60,000 training and 10,000 test images of 28 x 28 bytes, as many of each class."""
    for part, n in (("train", 60_000), ("test", 10_000)):
        images = load(FASHION, part)  # type: ignore[arg-type]
        assert images.images.shape == (n, 28, 28)
        assert (images.images.dtype, images.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.bincount(images.labels).tolist() == [n // 10] * 10


def test_floats_are_what_totensor_gives() -> None:
    """For grey and colour images, to the last bit, (N, C, H, W) in [0, 1]."""
    for shape in ((28, 28), (32, 32, 3)):
        images = _pixels(5, *shape)
        expected = torch.stack([transforms.ToTensor()(image) for image in images])
        assert torch.equal(to_float(torch.from_numpy(images)), expected)


@pytest.mark.parametrize("inner", [".", "FashionMNIST/raw"])
@pytest.mark.parametrize("zipped", [False, True])
def test_the_named_folder_may_hold_either_layout(alone: Path, inner: str, zipped: bool) -> None:
    """Four files directly or as torchvision lays them out, gzipped or not, read the same."""
    images = _write_fashion(alone / inner)
    if zipped:
        for name in (IMAGES, LABELS):
            path = alone / inner / name
            (alone / inner / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    assert np.array_equal(load(FASHION, "test").images.numpy(), images)


@pytest.mark.parametrize("place", ["data", "torch/datasets"])
def test_torchvisions_downloads_are_found(alone: Path, place: str) -> None:
    """What torchvision left in ./data or in torch's cache is found without SPLOT_DATA's help."""
    images = _write_fashion(alone.parent / place / "FashionMNIST" / "raw")
    assert np.array_equal(load(FASHION, "test").images.numpy(), images)


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-py"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_cifar_batches_are_read(alone: Path, inner: str, protocol: int) -> None:
    """A row holds red, then green, then blue; pickles of every protocol since the original's."""
    rows = _write_cifar(alone / inner, protocol)
    found = load(CIFAR, "test")
    assert found.images.shape == (20, 32, 32, 3)
    assert np.array_equal(found.images.numpy()[3, :, :, 1], rows[3, 1024:2048].reshape(32, 32))
    assert found.labels.tolist() == [i % 10 for i in range(20)]


def test_a_batch_that_would_run_code_is_refused(alone: Path) -> None:
    """A pickle that names anything but NumPy's arrays is not opened; its command never runs."""

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {alone / 'ran'}",)

    (alone / "test_batch").write_bytes(pickle.dumps({"data": Hostile(), "labels": []}))
    with pytest.raises(DataDamagedError, match=r"it asks for (posix|nt)\.system"):
        load(CIFAR, "test")
    assert not (alone / "ran").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x03" + bytes(40), "not an IDX file"),
        (b"\x00\x00\x08\x03\x00\x00", "ends within its header"),
        (_idx(_pixels(20, 28, 28))[:-1], "holds 15679 values"),
        (b"\x00\x00\x08\x01" + bytes(4), r"images of shape \(0,\)"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, r"says \(4294967295, .* and holds 0 values"),
        (_idx(_pixels(20, 14, 56)), "images of shape"),
        (_idx(_pixels(19, 28, 28)), "19 images"),
    ],
)
def test_damaged_files_are_named(alone: Path, content: bytes, sentence: str) -> None:
    """Empty, truncated, lying or mismatched files raise, with the folder and what is wrong."""
    _write_fashion(alone)
    (alone / IMAGES).write_bytes(content)
    with pytest.raises(DataDamagedError, match=sentence) as caught:
        load(FASHION, "test")
    assert str(alone) in str(caught.value)


@pytest.mark.parametrize("labels", [np.arange(20) % 9, np.arange(20) % 11])
def test_labels_of_too_few_or_too_many_classes_are_refused(alone: Path, labels: np.ndarray) -> None:
    """Ten classes must occur, no fewer and no more."""
    _write_fashion(alone)
    (alone / LABELS).write_bytes(_idx(labels))
    with pytest.raises(DataDamagedError, match="every image has one of 10 labels"):
        load(FASHION, "test")


@pytest.mark.parametrize(
    "batch",
    [[], {"data": _pixels(2, 3072)}, {"data": _pixels(2, 3000), "labels": [0, 1]}],
)
def test_pickles_that_are_no_batches_are_refused(alone: Path, batch: object) -> None:
    """A pickle of anything else than rows and as many labels is damaged data, never a crash."""
    (alone / "test_batch").write_bytes(pickle.dumps(batch))
    with pytest.raises(DataDamagedError, match="test_batch"):
        load(CIFAR, "test")


@pytest.mark.parametrize("cut", [0, 1, 50, -1])
def test_truncated_batches_are_refused(alone: Path, cut: int) -> None:
    """However much of a batch is missing, it is damaged data."""
    _write_cifar(alone, protocol=4)
    path = alone / "test_batch"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataDamagedError, match="cannot be read"):
        load(CIFAR, "test")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("dataset", "help_"), [(FASHION, "dataset-fashion-mnist"), (CIFAR, "cifar-10-python.tar.gz")])
def test_a_missing_data_set_says_where_it_was_looked_for(dataset: Dataset, help_: str) -> None:
    """One sentence: the data set, every place, and what to install."""
    with pytest.raises(DataNotFoundError, match=help_) as caught:
        load(dataset, "train")
    sentence = str(caught.value)
    assert all(part in sentence for part in (dataset, "named", "no-package", "data", "SPLOT_DATA"))
    assert "\n" not in sentence


def test_a_folder_that_is_not_there_is_said(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped SPLOT_DATA is an error, never a silent search elsewhere."""
    monkeypatch.setenv("SPLOT_DATA", str(alone / "mistyped"))
    with pytest.raises(DataNotFoundError, match=r"mistyped, which is not a folder"):
        load(FASHION, "test")


def test_an_idx_file_of_any_rank_is_read(tmp_path: Path) -> None:
    """The header's sizes are the array's, in one dimension as in four."""
    for shape in ((7,), (2, 3, 4, 5)):
        values = _pixels(*shape)
        (tmp_path / "file").write_bytes(_idx(values))
        assert np.array_equal(read_idx(tmp_path / "file"), values)


def test_images_count_their_labels() -> None:
    """len() of a part is its number of images."""
    assert len(Images(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3))) == 3
