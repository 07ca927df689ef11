"""A run: what is temporary, what is kept of a class that was cut short, and how many work at a time."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer

from autograder.cli.grading import Interruption, _finish, _Run
from autograder.engine.errors import GraderError
from autograder.engine.grading import Finished
from autograder.engine.grading.folders import PREFIX, run_folder
from autograder.engine.text import Lang
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, done, fork_server, short, task, worker
from tests.engine.reports import REPORT
from tests.engine.sandboxed_kernel import needs_bubblewrap


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have what is temporary made in a folder of the test's, whose path leaves room for a socket's."""
    folder = short(tmp_path / "tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_what_a_killed_run_left_is_tidied_up_by_the_next(temporary: Path) -> None:
    """Its folder goes, folders without permissions too; that of a run that lives stays, and its own goes with it."""
    left = temporary / f"{PREFIX}left"
    (left / "0" / "deep").mkdir(parents=True)
    (left / "0").chmod(0)
    with run_folder() as living:
        with run_folder() as run:
            assert sorted(temporary.iterdir()) == sorted([living, run])
        assert list(temporary.iterdir()) == [living]
    assert list(temporary.iterdir()) == []


def _cut_short() -> Iterator[Finished]:
    yield Finished(REPORT)
    raise GraderError("The grader did not start.")


def test_a_class_that_breaks_off_keeps_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the grader itself cannot go on, the reports so far are printed and written, as a class's; then its sentence."""
    run = _Run(3, Lang.EN, tmp_path / "all.json", tmp_path / "junit.xml")
    with pytest.raises(GraderError, match="did not start"):
        _finish(run, _cut_short(), Interruption(), None)
    assert [report["student"] for report in json.loads(run.json.read_bytes())] == [REPORT.student]  # type: ignore[union-attr]
    assert (tmp_path / "junit.xml").exists()
    assert REPORT.student in capsys.readouterr().out


def test_the_exit_code_says_that_it_was_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped before the end: 128 and the signal; after the last report it is as if nobody had."""
    stopped = Interruption()
    stopped.note(15, None)
    graded = msgspec.structs.replace(REPORT, student="ola")
    for total, code in ((2, 143), (1, 0)):
        with pytest.raises(typer.Exit) as left:
            _finish(_Run(total, Lang.EN, None, None), iter([Finished(graded)]), stopped, None)
        assert left.value.exit_code == code
    assert capsys.readouterr().err.count("1 of 2 submissions are done") == 1


@needs_bubblewrap
@pytest.mark.soak
def test_a_fork_server_is_kept_for_the_next(tmp_path: Path) -> None:
    """Two calls one after another have the same fork server, of one thread, and between them no worker."""
    first = done(task(CHEAP, tmp_path, "jan"))
    kept = fork_server()
    assert kept
    assert len(list(Path(f"/proc/{kept}/task").iterdir())) == 1
    assert not worker()
    second = done(task(CHEAP, tmp_path, "ola"))
    assert fork_server() == kept
    assert (first.score, second.score) == (CHEAP_POINTS, CHEAP_POINTS)
