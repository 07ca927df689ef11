"""`nbgrader validate`, as students run it, tells the truth: what passes is not named, what fails is, with its reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.nbgrader_course import ROOT
from tests.lesson.small_data import folder as folder  # noqa: PLC0414 - a fixture
from tests.submissions import build
from tests.submissions.right import TASK_1, TASK_2


def validated(notebook: Path, folder: Path) -> str:
    """Run the command in a student's folder, with the course's settings, and return what it prints."""
    (folder / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    (folder / "cnn.ipynb").write_bytes(notebook.read_bytes())
    environment = os.environ | {"PIP_NO_INDEX": "1", "JUPYTER_CONFIG_DIR": str(folder / ".jupyter")}
    command = [sys.executable, "-m", "nbgrader", "validate", "cnn.ipynb"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.soak
def test_half_solved_is_said_to_be_half_solved(folder: Path, tmp_path: Path) -> None:
    """With Tasks 1 and 2 done nothing of them is complained of; every test of what is left is, and the answers."""
    said = validated(build(TASK_1 | TASK_2, tmp_path, "ola"), folder)
    assert "VALIDATION FAILED ON 11 CELL(S)!" in said
    assert "run_pytorch_test(" not in said
    assert "validate_layer(" not in said
    assert "AssertionError" in said
    assert said.count("You did not provide a response.") == 2


@pytest.mark.soak
def test_the_source_passes(folder: Path) -> None:
    """The instructor's own notebook passes, as the command itself says."""
    assert "Success! Your notebook passes all the tests." in validated(ROOT / "source" / "cnn" / "cnn.ipynb", folder)
