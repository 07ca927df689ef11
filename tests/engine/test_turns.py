"""One notebook runs at a time while the next one's sandbox is made ready: who waits for whom, and what is ready by then."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from autograder.engine.collecting.collect import Collection, collect
from autograder.engine.collecting.turn import Turn
from autograder.engine.evidence import Evidence
from autograder.engine.grading import Grading, grade_all
from autograder.engine.grading.pool import Pool, _run_folder, each
from autograder.engine.notebook import load_assignment
from autograder.engine.notebook.repair import Cell
from autograder.engine.notebook.submission import Submission
from autograder.engine.report import Outcome, Profile
from autograder.engine.sandbox import SandboxKind
from autograder.lesson import LESSON
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, kill, sandboxed, task, wait_for
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions import build

IMPORTED = "import sys\nprint('torch' in sys.modules)\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
ALONE = """
import os, time
from pathlib import Path
at = Path({folder!r})
(at / "{student}.tmp").write_text(str(os.getppid()))
(at / "{student}.tmp").rename(at / "{student}-in")
print(*(path.name for path in at.glob("*-out")))
while not (at / "go").exists():
    time.sleep(0.02)
(at / "{student}-out").touch()
"""
STUDENTS = ("ala", "ela", "ola")


def loaded(library: str, pids: list[int]) -> bool:
    """Whether one of these processes has loaded a library."""
    for pid in pids:
        with suppress(OSError):
            if library in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace"):
                return True
    return False


def printed(evidence: Evidence) -> str:
    """Return what the notebook's cells printed."""
    return "".join("".join(output.get("text", "")) for cell in evidence.notebook.cells for output in cell.outputs or ())


@needs_bubblewrap
def test_a_kernel_that_waits_imports_what_notebooks_do(tmp_path: Path) -> None:
    """No cell runs before its turn; then torch is there, and a figure is shown as ever."""
    asked = task(CHEAP | {"install": f"{CHEAP['install']}\n{IMPORTED}"}, tmp_path)
    evidence = asked.folder / "evidence"
    with ThreadPoolExecutor(1) as thread:
        with (_run_folder() / "turn").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            grading = thread.submit(lambda: list(each([asked], in_turn=True)))
            wait_for(lambda: loaded("_path.", sandboxed(os.getpid())))  # matplotlib's, imported after torch
            assert not grading.done()
        (finished,) = grading.result()
    assert finished.report.score == CHEAP_POINTS, finished.report.reason
    assert printed(Evidence(evidence)).startswith("True")
    assert next(run for run in Evidence(evidence).file.runs if run.images).images == 1


def test_a_class_runs_one_notebook_at_a_time(tmp_path: Path) -> None:
    """Two kernels are there, one runs; where its worker is killed the next one's turn comes."""
    for student in STUDENTS:
        build(
            CHEAP | {"task5_cam": ALONE.format(folder=str(tmp_path), student=student)}, tmp_path / "submitted", student
        )
    notebooks = sorted((tmp_path / "submitted").glob("*/cnn/cnn.ipynb"))
    how = Grading(tmp_path / "graded", Profile.QUICK, sandbox=SandboxKind.NONE)
    with ThreadPoolExecutor(1) as thread:
        grading = thread.submit(lambda: list(grade_all(notebooks, load_assignment(), how)))
        wait_for(lambda: begun(tmp_path) and len(sandboxed(os.getpid())) == 2)
        (first,) = begun(tmp_path)
        assert first == "ala"
        kill(int((tmp_path / f"{first}-in").read_text()))
        wait_for(lambda: len(begun(tmp_path)) == 2)
        (second,) = begun(tmp_path) - {first}
        (tmp_path / "go").touch()
        reports = {done.report.student: done.report for done in grading.result()}
    (third,) = set(STUDENTS) - {first, second}
    assert reports[first].status is Outcome.UNGRADED
    assert [reports[student].score for student in (second, third)] == [CHEAP_POINTS] * 2
    assert f"{second}-out" in printed(Evidence(tmp_path / "graded" / third / "cnn" / "evidence"))


def test_the_next_sandbox_needs_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not made ready where the machine has less than one notebook may use."""
    with Pool(lambda: False, in_turn=True) as pool:
        pool.submit(task(CHEAP | {"task5_cam": ALONE.format(folder=str(tmp_path), student="ala")}, tmp_path))
        wait_for(lambda: pool.has_room(1))
        monkeypatch.setattr("autograder.engine.grading.pool.free_memory", lambda: 2**20)
        assert not pool.has_room(1)


def begun(folder: Path) -> set[str]:
    """Return the students whose notebooks have begun to run."""
    return {path.name.removesuffix("-in") for path in folder.glob("*-in")}


@needs_bubblewrap
def test_an_import_that_ends_the_kernel_costs_no_cell(tmp_path: Path) -> None:
    """Then a new kernel starts, without it."""
    fatal = tmp_path / "fatal"
    fatal.mkdir()
    (fatal / "__init__.py").write_text("import os\nos._exit(1)\n")
    submission = Submission(tmp_path / "x.ipynb", "ola", "0" * 64, (Cell("code", "print('alive')"),), ())
    turn = Turn(tmp_path / "turn", tmp_path / "begun")
    how = Collection(
        profile=Profile.QUICK,
        data=None,
        code=dict(LESSON.code) | {"fatal": fatal},
        recorders=LESSON.recorders,
        turn=turn,
        imports=("splot_inside.fatal",),
    )
    with ThreadPoolExecutor(1) as thread, turn.lock.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        collecting = thread.submit(collect, submission, "cnn", how, tmp_path / "evidence")
        wait_for(lambda: sandboxed(os.getpid()))
        first = set(sandboxed(os.getpid()))
        wait_for(lambda: set(sandboxed(os.getpid())) - first)
        held.close()
        collecting.result()
    evidence = Evidence(tmp_path / "evidence")
    assert printed(evidence) == "alive\n"
    assert evidence.file.runs[0].failure is None
