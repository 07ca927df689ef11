"""The notebook as nbgrader's Validate button runs it: from the top, on 600 images."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.validator import Validator
from traitlets.config import Config

from tests.lesson.small_data import folder as folder  # noqa: PLC0414 - a fixture
from tests.submissions.build import RELEASE, SOURCE


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
