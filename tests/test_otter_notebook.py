"""The notebook converted for otter-grader: its questions, and real grades where otter is installed."""

import os
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest

from benchmarks.composed_class import COMPARED, Part, Sample
from benchmarks.hidden_asserts import hidden_tests
from benchmarks.otter_notebook import CELL_ID, filled, master
from benchmarks.peer_graders import Otter, confined, points_by_cell
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions import WRONG
from tests.submissions.build import RELEASE, ROOT, SOURCE
from tests.submissions.hostile.attack import IMPORTS, NOTHING
from tests.submissions.right import TASK_2

PYTHON = Path(os.environ.get("SPLOT_OTTER", ROOT / "build" / "otter" / "bin" / "python"))
needs_otter = pytest.mark.skipif(not PYTHON.exists(), reason="otter-grader: `python -m benchmarks.peers` installs it")


@pytest.fixture(scope="module")
def converted() -> Any:
    """Convert the assignment."""
    return master(nbformat.read(RELEASE, 4), nbformat.read(SOURCE, 4), hidden_tests(0.8))


def test_every_test_cell_becomes_a_question(converted: Any) -> None:
    """Its points are the source's, a bonus's too; test cells are gone, all others stay with their ids."""
    questions = [cell.source.split("\n") for cell in converted.cells if cell.source.startswith("# BEGIN QUESTION")]
    points = {name.partition(": ")[2]: float(worth.partition(": ")[2]) for _, name, worth, _ in questions}
    assert points == points_by_cell()
    kept = [cell.metadata[CELL_ID] for cell in converted.cells if CELL_ID in cell.metadata]
    assert kept == [cell.id for cell in nbformat.read(RELEASE, 4).cells if cell.id not in points]


def test_no_hidden_test_is_the_students(converted: Any) -> None:
    """Each test is a function that runs its text in the notebook's namespace; hidden ones are marked so."""
    tests = [cell.source for cell in converted.cells if "BEGIN TEST CONFIG" in cell.source]
    assert len(tests) == len(points_by_cell()) + len(hidden_tests(0.8))
    assert sum("hidden: true" in test for test in tests) == len(hidden_tests(0.8))
    for test in tests:
        compile(test, "<test>", "exec")


def test_a_submission_is_filled_by_the_cells_ids(converted: Any) -> None:
    """What a student writes stands in the cell of that id; every compared sample can be filled in."""
    for sample in COMPARED:
        made = filled(nbformat.from_dict(converted), sample.cells)
        by_id = {cell.metadata.get(CELL_ID): cell.source for cell in made.cells}
        assert all(by_id[name] == source.strip("\n") for name, source in sample.cells.items())


@pytest.mark.soak
@needs_otter
@needs_bubblewrap
def test_otter_grades_right_and_wrong_work(tmp_path: Path) -> None:
    """Of Task 2, done rightly or with the usual mistakes, otter's grade is that of the notebook's own tests."""
    otter = Otter(tmp_path / "otter", 600, PYTHON)
    otter.prepare()
    right = NOTHING | TASK_2 | {"install": IMPORTS}
    for cells, expected in ((right, [1.0, 1.0, 1.0]), (right | {n: WRONG[n] for n in TASK_2}, [0.0, 0.0, 1.0])):
        otter.submit(Sample("ala", Part.PARTIAL, cells), ["ala"])
        assert otter.grade().exit_code == 0
        points = otter.points("ala")
        assert [points[f"task2_case_{n}_tests"] for n in (1, 2, 3)] == expected
        assert points["task1_convolution_tests"] == 0.0


@needs_bubblewrap
def test_a_confined_command_writes_in_its_folder_alone(tmp_path: Path) -> None:
    """A peer runs hostile code unconfined: neither this checkout nor the network is in its reach."""
    (tmp_path / "own").mkdir()
    script = f"touch inside; touch {tmp_path}/outside; touch {ROOT}/outside; cat /proc/net/dev > net"
    subprocess.run(confined(["sh", "-c", script], tmp_path / "own"), stderr=subprocess.DEVNULL, check=False)
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["inside", "net"]
    interfaces = [line.split(":")[0].strip() for line in (tmp_path / "own" / "net").read_text().splitlines()[2:]]
    assert interfaces == ["lo"]
    assert not (tmp_path / "outside").exists()
    assert not (ROOT / "outside").exists()
