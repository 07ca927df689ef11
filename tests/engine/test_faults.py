"""Faults of ours: whoever is killed, and whatever the judge runs into, nobody is shown as graded who is not."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from autograder.engine.grading.folders import lock_student_folder, withdraw_report
from autograder.engine.grading.pool import ANSWER, LOST, _become_worker, _run_folder, each
from autograder.engine.grading.task import Grading, JudgeLimits, reason_of
from autograder.engine.report import Outcome, Report, read_report
from tests.engine.interrupted_runs import (
    CHEAP,
    CHEAP_POINTS,
    SLEEPING,
    STALE,
    again,
    done,
    fork_server,
    kill,
    sandboxed,
    start,
    task,
    wait_for,
    worker,
)
from tests.engine.sandboxed_kernel import gone, needs_bubblewrap

pytestmark = needs_bubblewrap


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade the cheap submission; return the student's folder."""
    cheap = task(CHEAP, tmp_path_factory.mktemp("graded"))
    report = done(cheap)
    assert (report.status, report.score) == (Outcome.GRADED, CHEAP_POINTS), report.reason
    return cheap.folder


@pytest.mark.parametrize("whom", [worker, pytest.param(fork_server, marks=pytest.mark.soak)])
def test_who_is_killed_costs_one_report_and_the_class_goes_on(whom: Callable[[], int], tmp_path: Path) -> None:
    """SIGKILL of a worker, or of the process all workers stem from, while a notebook runs: that student is ungraded.

    A reason stands in place of an older report, the next student is graded, and the sandbox is gone.
    """
    jan, ola = task(SLEEPING, tmp_path, "jan"), task(CHEAP, tmp_path, "ola")
    reports = (finished.report for finished in each([jan, ola]))
    first, second = _first(reports, jan.folder, whom), next(reports)
    assert (first.student, first.status, first.score) == ("jan", Outcome.UNGRADED, None)
    assert "grade this submission again" in (first.reason or "")
    assert read_report(jan.folder / "report.json") == first
    assert (second.student, second.score) == ("ola", CHEAP_POINTS)
    assert next(reports, None) is None


def _first(reports: Iterator[Report], folder: Path, whom: Callable[[], int]) -> Report:
    """Take the first report while, once the first evidence is taken, one of our processes is killed."""

    def strike() -> list[int]:
        wait_for((folder / "evidence" / "arrays").is_dir)
        left = sandboxed(worker())
        kill(whom())
        return left

    with ThreadPoolExecutor(1) as pool:
        oom_killed = pool.submit(strike)
        first = next(reports)
        assert oom_killed.result()
        assert gone(oom_killed.result())
    return first


def test_a_fork_server_that_breaks_is_replaced(graded: Path) -> None:
    """It ends by an exception: the run's folder stays; where the folder is gone too, another one is made.

    Signals to the whole group that reach the new one as it starts do not end it.
    """
    run, first = _run_folder(), fork_server()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(next(map(str, run.glob("listener-*"))))
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert _run_folder() == run

    def strike() -> None:
        wait_for(fork_server, 20)
        server = fork_server()
        kill(server, signal.SIGTERM)
        kill(server, signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        struck = pool.submit(strike)
        assert _score(graded) == CHEAP_POINTS
        struck.result()
    second = fork_server()
    shutil.rmtree(run)
    assert _score(graded) == CHEAP_POINTS
    assert _run_folder() != run
    assert fork_server() not in {first, second}


def _score(folder: Path) -> float | None:
    return done(again(folder, Grading(Path()))).score


def test_a_report_that_got_lost_is_said_to_be_lost(tmp_path: Path) -> None:
    """Where a worker cannot hand its report over, the sentence says what to do, and no other report is left."""
    cheap = task(CHEAP, tmp_path)

    def obstruct() -> None:
        wait_for((cheap.folder / "evidence" / "arrays").is_dir, 60)
        latest = max(int(folder.name) for folder in _run_folder().iterdir() if folder.name.isdecimal())
        (_run_folder() / str(latest) / ANSWER).mkdir()

    with ThreadPoolExecutor(1) as pool:
        obstructed = pool.submit(obstruct)
        report = done(cheap)
        obstructed.result()
    assert (report.status, report.reason) == (Outcome.UNGRADED, LOST)
    assert read_report(cheap.folder / "report.json") == report


def _tell_search_path(file: Path) -> None:
    _become_worker()
    file.write_text("\n".join(sys.path))


def test_a_worker_imports_nothing_from_where_the_command_does(
    graded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that the command looks in for modules, as its script's or a course's, is none of a worker's."""
    assert graded
    monkeypatch.syspath_prepend(str(tmp_path))
    process = get_context("forkserver").Process(target=_tell_search_path, args=(tmp_path / "path",))
    process.start()
    process.join()
    found = (tmp_path / "path").read_text().split("\n")
    assert str(tmp_path) not in found
    assert found


@pytest.mark.parametrize("reached", [pytest.param("evidence/arrays", marks=pytest.mark.soak), "evidence/evidence.json"])
def test_a_killed_command_leaves_nothing_and_can_be_repeated(reached: str, tmp_path: Path) -> None:
    """SIGKILL of the command while the notebook runs or as the judge begins: no report, nor an older one, or a whole one.

    Nothing runs on, nothing temporary stays, and the same command again grades. A `torch.py` in the way is not imported.
    """
    cheap = task(CHEAP, tmp_path)
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')")
    run = ("grade", "submitted", "--profile", "quick")
    command = start(*run, folder=tmp_path)
    wait_for((cheap.folder / reached).exists)
    left = sandboxed(command.pid)
    command.kill()
    command.communicate()
    assert gone(left)
    wait_for(lambda: not list((tmp_path / "tmp").iterdir()))
    found = cheap.folder / "report.json"
    assert not found.exists() or read_report(found).score == CHEAP_POINTS
    if reached == "evidence/arrays":
        repeated = start(*run, folder=tmp_path)
        repeated.communicate()
        assert (repeated.returncode, read_report(found).score) == (0, CHEAP_POINTS)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(JudgeLimits(seconds=0.001), "took more than 0.001 s"), (JudgeLimits(memory_mb=0), "broke")],
    ids=["time", "memory"],
)
def test_a_judge_past_its_limits_is_no_zero(limits: JudgeLimits, reason: str, graded: Path) -> None:
    """A judge that overruns, or finds no memory: ungraded with the reason, and judged within sound limits the old score."""
    broken = done(again(graded, Grading(Path(), judge=limits)))
    assert (broken.status, broken.score) == (Outcome.UNGRADED, None)
    assert reason in (broken.reason or "")
    assert read_report(graded / "report.json") == broken
    mended = done(again(graded, Grading(Path())))
    assert (mended.status, mended.score) == (Outcome.GRADED, CHEAP_POINTS)


def test_evidence_that_cannot_be_read_costs_its_student_alone(graded: Path, tmp_path: Path) -> None:
    """In a class that is judged again, a damaged evidence file is one ungraded report, and the others are judged."""
    damaged = tmp_path / "jan" / "cnn"
    (damaged / "evidence").mkdir(parents=True)
    (damaged / "evidence" / "evidence.json").write_text("{")
    tasks = [again(damaged, Grading(Path())), again(graded, Grading(Path()))]
    first, second = (finished.report for finished in each(tasks))
    assert (first.student, first.status) == ("jan", Outcome.UNGRADED)
    assert second.score == CHEAP_POINTS


def test_two_graders_do_not_meet_in_one_folder(tmp_path: Path) -> None:
    """While one grader holds a student's folder, the other says so in a sentence and touches nothing there."""
    cheap = task(CHEAP, tmp_path)
    with lock_student_folder(cheap.folder):
        (cheap.folder / "report.json").write_bytes(STALE)  # the one at work may just be writing
        report = done(cheap)
        assert report.status is Outcome.UNGRADED
        assert report.reason == f"Another grader is at work in {cheap.folder}; let it end, then grade again."
        assert (cheap.folder / "report.json").read_bytes() == STALE
        assert [path.name for path in cheap.folder.iterdir()] == ["report.json"]


def test_what_a_killed_grader_was_about_to_rename_is_cleared_away(tmp_path: Path) -> None:
    """Whoever holds a folder next finds no report, no page, and no half of them; evidence stays for judging."""
    for name in ("report.json", ".report.json-x1y2", "feedback.html", ".feedback.html-0", "evidence.json"):
        (tmp_path / name).write_text("{")
    with lock_student_folder(tmp_path):
        withdraw_report(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


CONFINED = """
import ctypes, os, socket, subprocess
from autograder.engine.grading.judge_process import forbid_tracing, confined
from autograder.engine.grading.task import JudgeLimits

def refused(what):
    try:
        what()
    except (OSError, MemoryError) as error:
        return type(error).__name__

def all_refused():
    listen = lambda: socket.create_server(("127.0.0.1", 0)).close()
    return [refused(what) for what in (listen, lambda: subprocess.run(["true"]), lambda: bytearray(200_000_000))]

forbid_tracing()
with confined(JudgeLimits(memory_mb=100)):
    print(all_refused(), refused(os.fork))
print(all_refused(), ctypes.CDLL(None).prctl(3))
"""


def test_the_judge_has_no_network_no_children_and_so_much_memory() -> None:
    """Listening, starting a process and 200 MB are refused while it judges, and not after; nobody may read its memory."""
    ended = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "['PermissionError', 'PermissionError', 'MemoryError'] PermissionError",
        "[None, None, None] 0",  # prctl's option 3: whether this process may be dumped
    ]


def test_what_the_judge_may_not_do_is_no_full_disk() -> None:
    """An error that the system never raised is said to be the grader's own, with its place."""
    with pytest.raises(PermissionError) as raised:
        raise PermissionError("The judge tried socket.connect.")  # as `confined` has it
    assert reason_of(raised.value).startswith("The grader broke (PermissionError in test_faults.py, line ")
    assert reason_of(OSError(28, "No space left on device")).startswith("A file cannot be read or written (No space")
