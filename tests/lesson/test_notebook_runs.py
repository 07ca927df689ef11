"""The notebook as nbgrader's Validate button runs it: from the top, on 600 images."""

import shutil
import struct
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbgrader.validator import Validator
from traitlets.config import Config

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "source" / "cnn" / "cnn.ipynb"
RELEASE = ROOT / "release" / "cnn" / "cnn.ipynb"
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


def failures(notebook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Validate a copy of a notebook in the folder; return each failing cell's source and what it printed."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    config = Config({"Execute": {"timeout": 600}, "Validator": {"validate_all": True}})
    results = Validator(config=config).validate(str(shutil.copy(notebook, folder)))
    assert set(results) <= {"failed"}, "cells were changed since their checksums were taken"
    return {cell["source"]: cell["raw_error"] for cell in results.get("failed", [])}


def test_untouched_release_fails_kindly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the untouched release every test fails with a sentence, the written answers are missed; no bonus, nothing else fails."""
    notebook = nbformat.read(RELEASE, as_version=4)
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    graded = [cell for cell in graded if "bonus" not in cell.metadata.get("splot", {})]
    failed = failures(RELEASE, folder, monkeypatch)
    assert set(failed) == {cell.source.strip() for cell in graded}
    assert all("AssertionError" in failed[cell.source.strip()] for cell in graded if cell.cell_type == "code")


@pytest.mark.soak
def test_source_passes_its_own_tests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instructor's solutions pass every visible test, and no cell raises or warns."""
    assert failures(SOURCE, folder, monkeypatch) == {}
