"""Mutated notebooks: one clear refusal or cells in the instructor's frame, in bounded memory; never points gained."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from autograder.engine.grading.pool import grade
from autograder.engine.grading.task import Grading
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.repair import DamageKind
from autograder.engine.notebook.submission import check, read_submission, write_fixed
from autograder.engine.report import Outcome, Profile
from tests.mutations import TEXT
from tests.submissions.build import build, fill
from tests.submissions.right import TASK_1, TASK_2

ASSIGNMENT = load_assignment()
LOCKED = {cell.grade_id: cell.source for cell in ASSIGNMENT.cells if cell.locked}
UNMENDED = {DamageKind.MISSING_ANSWER, DamageKind.MOVED}
FILLED = {
    "task1_convolution": TASK_1["task1_convolution"],
    "task1_matrix": TASK_1["task1_convolution"].replace("def convolution", "def convolution_matrix"),  # a loop: wrong
    **TASK_2,
}
PEAK_KB = 900_000
BOMBS: dict[str, Callable[[], bytes]] = {
    "lists": lambda: cells(b"[]," * 16_600_000 + b"[]"),
    "lists within the bound": lambda: cells(b"[]," * 1_990_000 + b"[]"),
    "objects within the bound": lambda: cells(b'{"a":1},' * 1_990_000 + b"{}"),
    "keys within the bound": lambda: cells(b"{" + b",".join(b'"%d":1' % i for i in range(3_900_000)) + b"}"),
    "four bytes a letter": lambda: cells(b'{"source": "' + "🙂".encode() + b"a" * 49_000_000 + b'"}'),
    "quotes": lambda: cells(b'"' + b'","' * 12_000_000 + b'"'),
    "backslashes": lambda: cells(b'"' + rb"\\" * 12_000_000 + b'"'),
    "cells": lambda: cells(b'{"source": "x"},' * 1_990_000 + b"{}"),
    "more than the cap": lambda: b" " * 100_000_000,
}
MEASURE = """
import re, sys
from pathlib import Path
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.submission import check
check(Path(sys.argv[1]), load_assignment())
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def cells(inner: bytes) -> bytes:
    """Return a notebook of these cells."""
    return b'{"nbformat": 4, "cells": [' + inner + b"]}"


def documents(seed: int, count: int) -> Iterator[bytes]:
    """Yield that many mutations of a filled release, its figures left out: their megabytes would only slow the tests."""
    notebook = fill(FILLED)
    for cell in notebook.cells:
        cell.source = cell.source if len(cell.source) < 10_000 else "a figure"
    raw = json.dumps(notebook).encode()
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        yield draw.choice(TEXT)(raw, draw)


def assert_framed_or_refused(path: Path) -> bool:
    """Check a notebook: it is refused in one sentence, or its cells are the instructor's frame with all it holds."""
    checked = check(path, ASSIGNMENT)
    if checked.refusal is not None:
        assert checked.refusal.isprintable()
        assert len(checked.refusal) < 500
        return False
    cells = read_submission(path, ASSIGNMENT).cells
    assert {cell.grade_id: cell.source for cell in cells if cell.locked} == LOCKED
    ids = [cell.grade_id for cell in cells if cell.grade_id]
    assert len(ids) == len(set(ids))
    assert {cell.kind for cell in cells} <= {"code", "markdown", "raw"}
    assert all(str(found).isprintable() for found in checked.damage)
    return True


def assert_mended(path: Path, mended: Path) -> None:
    """Write a readable notebook mended: it is valid, checks clean but for what is borne with, and runs the same."""
    mended.unlink(missing_ok=True)
    write_fixed(path, ASSIGNMENT, mended)
    nbformat.validate(nbformat.read(mended, as_version=4))
    again = read_submission(mended, ASSIGNMENT)
    assert {found.kind for found in again.damage} <= UNMENDED
    runs = [(cell.kind, cell.source, cell.grade_id) for cell in read_submission(path, ASSIGNMENT).cells]
    assert [(cell.kind, cell.source, cell.grade_id) for cell in again.cells] == runs


def run(folder: Path, seed: int, count: int, mend_every: int) -> int:
    """Check that many mutations, mend every so manieth; return how many could be read."""
    path, read = folder / "cnn.ipynb", 0
    for number, raw in enumerate(documents(seed, count)):
        path.write_bytes(raw)
        try:
            if assert_framed_or_refused(path):
                read += 1
                if number % mend_every == 0:
                    assert_mended(path, folder / "mended.ipynb")
        except Exception as error:
            raise AssertionError(f"seed {seed}, number {number}") from error
    return read


def test_mutated_notebooks_are_refused_or_framed(tmp_path: Path) -> None:
    """A sample of fixed seed: some are notebooks still, some not."""
    assert 0 < run(tmp_path, seed=1, count=150, mend_every=5) < 150


@pytest.mark.soak
def test_a_thousand_mutated_notebooks_are_refused_or_framed(tmp_path: Path) -> None:
    """A thousand, every readable one mended too."""
    assert 0 < run(tmp_path, seed=2, count=1_000, mend_every=1) < 1_000


@pytest.mark.soak
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_file_within_the_cap_fills_memory(tmp_path: Path, bomb: str) -> None:
    """What is made to be large in memory is read or refused within a gigabyte."""
    path = tmp_path / "cnn.ipynb"
    path.write_bytes(BOMBS[bomb]())
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < PEAK_KB


@pytest.mark.soak
def test_a_mutated_notebook_earns_no_more_than_the_notebook(tmp_path: Path) -> None:
    """Graded for real in the sandbox: no cell is worth more than before, and what cannot be read is ungraded."""
    how = Grading(tmp_path / "graded", Profile.QUICK)
    honest = grade(build(FILLED, tmp_path, "honest"), ASSIGNMENT, how)
    before = {cell.id: cell.score or 0.0 for cell in honest.cells}
    assert before["task1_convolution_tests"] == 4
    assert before["task1_matrix_tests"] == 0
    statuses = set()
    for number, raw in enumerate(documents(seed=3, count=10)):
        path = tmp_path / f"mutated-{number}" / "cnn" / "cnn.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(raw)
        report = grade(path, ASSIGNMENT, how)
        statuses.add(report.status)
        assert {cell.id: cell.score for cell in report.cells if (cell.score or 0.0) > before[cell.id]} == {}
    assert statuses == set(Outcome)
