"""Nothing is done twice: an unchanged report stays, evidence is judged again where only the graders changed, the rest runs."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from autograder.cli import app
from autograder.engine.evidence.records import CellRun, EvidenceFile
from autograder.engine.grading.keys import _data, _sources, is_evidence_with
from autograder.engine.grading.pool import each
from autograder.engine.grading.task import Grading, Work, to_grade, to_judge
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.find import NothingToGradeError
from autograder.engine.report import Outcome, Profile, Report, read_report
from autograder.engine.sandbox.sandbox import Limits
from autograder.engine.text import Lang
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, SLEEPING, done, kill, start, task, wait_for
from tests.engine.reports import judged_by_others
from tests.submissions import build

QUICK = Grading(Path("graded"), Profile.QUICK)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade the cheap submission, once for all these tests."""
    root = tmp_path_factory.mktemp("unchanged")
    assert done(task(CHEAP, root)).score == CHEAP_POINTS
    return root


@pytest.fixture
def course(once: Path, tmp_path: Path) -> Path:
    """Copy the graded submission and its results, with their times and modes."""
    shutil.copytree(once, tmp_path / "course")
    return tmp_path / "course"


def again(course: Path, how: Grading = QUICK, **cells: str) -> tuple[Report, set[str]]:
    """Grade the submission again; return the report, and which of its results were made anew, which the answer says too."""
    folder = course / "graded" / "ola" / "cnn"
    before = ages(folder)
    if cells:
        build(CHEAP | cells, course / "submitted", "ola")
    notebook = course / "submitted" / "ola" / "cnn" / "cnn.ipynb"
    (finished,) = each([to_grade(notebook, load_assignment(), replace(how, out=course / "graded"))])
    assert read_report(folder / "report.json") == finished.report
    anew = {name for name, age in ages(folder).items() if age != before.get(name)}
    ran = finished.report.status is Outcome.UNGRADED or "evidence/evidence.json" in anew
    assert finished.work is (Work.GRADED if ran else Work.JUDGED if "report.json" in anew else Work.UNCHANGED)
    return finished.report, anew


def ages(folder: Path) -> dict[str, int]:
    """Return when each result was written."""
    names = ("report.json", "feedback.html", "evidence/evidence.json")
    return {name: (folder / name).stat().st_mtime_ns for name in names if (folder / name).exists()}


EVERYTHING = {"report.json", "feedback.html", "evidence/evidence.json"}
JUDGED = {"report.json", "feedback.html"}


def test_an_unchanged_submission_is_left_alone(course: Path) -> None:
    """Report, page and evidence stay as they are, also where fewer or more submissions share the machine."""
    assert again(course)[1] == set()
    assert again(course, replace(QUICK, limits=replace(Limits(), cores=1, shared=True)))[1] == set()


def test_a_page_that_is_missing_is_drawn(course: Path) -> None:
    """A run that was killed after the report left none."""
    (course / "graded" / "ola" / "cnn" / "feedback.html").unlink()
    assert again(course)[1] == {"feedback.html"}


@pytest.mark.parametrize("field", ["graders", "assignment", "judge_limits"])
def test_where_only_the_graders_changed_evidence_is_judged_again(course: Path, field: str) -> None:
    """The report says what it was judged by; the student's code does not run."""
    judged_by_others(course / "graded" / "ola" / "cnn" / "report.json", field)
    report, anew = again(course)
    assert (report.score, anew) == (CHEAP_POINTS, JUDGED)
    assert again(course)[1] == set()


def test_a_report_that_is_gone_is_made_from_the_evidence(course: Path) -> None:
    """A run that was killed while it judged left none; so did a report in another language."""
    (course / "graded" / "ola" / "cnn" / "report.json").unlink()
    report, anew = again(course)
    assert (report.score, anew) == (CHEAP_POINTS, JUDGED)
    assert again(course, replace(QUICK, lang=Lang.EN))[1] == JUDGED


@pytest.mark.parametrize(
    "how",
    [
        replace(QUICK, force=True),
        replace(QUICK, time_limit=500.0),
        replace(QUICK, limits=replace(Limits(), memory_mb=4000)),
    ],
    ids=["forced", "another time limit", "another memory limit"],
)
def test_what_evidence_depends_on_makes_it_run_again(course: Path, how: Grading) -> None:
    """A limit that may cut it off, or the command that says so."""
    assert again(course, how)[1] == EVERYTHING


def test_what_the_machine_lacks_costs_no_evidence(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a sandbox nothing can be run: ungraded, and what was collected before can still be judged."""
    monkeypatch.setenv("PATH", str(course))
    report, anew = again(course, replace(QUICK, time_limit=500.0))
    assert (report.status, report.score) == (Outcome.UNGRADED, None)
    assert "evidence/evidence.json" not in anew
    assert done(to_judge(course / "graded" / "ola" / "cnn", load_assignment(), QUICK)).score == CHEAP_POINTS


def test_another_secret_makes_it_run_again(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its inputs are others."""
    monkeypatch.setenv("SPLOT_SECRET", "of another course")
    assert again(course)[1] == EVERYTHING


def test_a_changed_notebook_runs_again_and_a_broken_one_leaves_nothing(course: Path) -> None:
    """Evidence of what was handed in before is not judged in its place."""
    report, anew = again(course, task1_convolution="def convolution(X, K): return 0")
    assert (report.score, anew) == (0, EVERYTHING)
    (course / "submitted" / "ola" / "cnn" / "cnn.ipynb").write_text("{")
    report, _ = again(course)
    assert report.score is None
    assert not (course / "graded" / "ola" / "cnn" / "evidence").exists()
    build(CHEAP, course / "submitted", "ola")
    assert again(course)[0].score == CHEAP_POINTS


def test_evidence_serves_where_its_run_went_far_enough(tmp_path: Path) -> None:
    """A run to the end serves for every cell; one that ended early for the cells before its end."""
    runs = tuple(CellRun(index, cell, 1.0) for index, cell in enumerate(("a", None, "b")))
    for until in (None, "b"):
        file = EvidenceFile(
            submission="",
            student="ola",
            assignment="cnn",
            digest="",
            seed="",
            profile=Profile.MEDIUM,
            dataset=None,
            sandbox="bwrap",
            runs=runs,
            key="1",
            until=until,
        )
        (tmp_path / "evidence.json").write_bytes(msgspec.json.encode(file))
        served = {cell for cell in ("a", "b", "c", None) if is_evidence_with(tmp_path, "1", cell)}
        assert served == ({"a", "b", "c", None} if until is None else {"a", "b"})
        assert not is_evidence_with(tmp_path, "2", "a")


def test_every_source_file_counts(tmp_path: Path) -> None:
    """Of graders, thresholds, templates: another name, another text; not what Python compiles from them."""
    (tmp_path / "graders").mkdir()
    seen = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "2"), ("thresholds.toml", "x = 1"), ("a.pyc", "")):
        (tmp_path / "graders" / name).write_text(text)
        _sources.cache_clear()
        seen.add(_sources(tmp_path))
    _sources.cache_clear()
    assert len(seen) == 4


def test_other_data_of_the_same_size_count(tmp_path: Path) -> None:
    """Wherever a small file differs, and where most of a large one does: its start, its end, every tenth byte."""
    seen = {str(_data(tmp_path))}
    (tmp_path / "raw").mkdir()
    labels, images = tmp_path / "raw" / "labels", tmp_path / "raw" / "images"
    for path, size, changed in (
        (labels, 200_000, [slice(0), slice(1), slice(123_456, 123_457), slice(199_999, None)]),
        (images, 5_000_000, [slice(0), slice(1), slice(4_999_999, None), slice(None, None, 10)]),
    ):
        for change in changed:
            content = bytearray(size)
            content[change] = b"1" * len(content[change])
            path.write_bytes(content)
            seen.add(str(_data(tmp_path)))
    assert len(seen) == 9


def test_judging_again_leaves_what_grading_need_not_repeat(course: Path) -> None:
    """`splot judge` and then `splot grade`: the evidence was judged by the graders of today, so nothing is left to do."""
    folder = course / "graded" / "ola" / "cnn"
    judged_by_others(folder / "report.json")
    done(to_judge(folder, load_assignment(), Grading(course / "graded")))
    assert again(course)[1] == set()


def test_only_the_named_students_are_graded(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command; one that has nothing here is named, and nothing is lost."""
    build(CHEAP, course / "submitted", "jan")
    monkeypatch.chdir(course)
    with pytest.raises(SystemExit) as ended:
        app(["grade", "submitted", "--profile", "quick", "--only", "ola"])
    assert ended.value.code == 0
    assert not (course / "graded" / "jan").exists()
    assert "1 of 1 unchanged since an earlier run" in capsys.readouterr().err
    with pytest.raises(NothingToGradeError, match="eve has no submission here; those found are of jan, ola"):
        app(["grade", "submitted", "--only", "eve"], standalone_mode=False)


def test_a_time_limit_of_an_earlier_run_is_told(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine may have been the cause: the report stays, and the command says how to run that student again."""
    path = course / "graded" / "ola" / "cnn" / "report.json"
    document = json.loads(path.read_bytes())
    document["cells"][0]["status"] = "timeout"
    path.write_text(json.dumps(document))
    monkeypatch.chdir(course)
    said = []
    for options in ([], ["--only", "ola", "--force"]):
        with pytest.raises(SystemExit):
            app(["grade", "submitted", "--profile", "quick", *options])
        said.append(capsys.readouterr().err)
    assert "1 of 1 unchanged" in said[0]
    assert "the same command with --only ola --force runs it again" in " ".join(said[0].split())
    assert said[1].strip() == ""
    assert read_report(path).score == CHEAP_POINTS


def test_after_a_kill_the_same_command_does_the_rest(tmp_path: Path) -> None:
    """SIGKILL after the first of two, then Ctrl-C: the first is not graded again, the second is, and each count is true."""
    build(CHEAP, tmp_path / "submitted", "ala")
    build(SLEEPING, tmp_path / "submitted", "ola")
    first, second = (tmp_path / "graded" / student / "cnn" / "report.json" for student in ("ala", "ola"))
    run = ("grade", "submitted", "--profile", "quick")
    command = start(*run, folder=tmp_path)
    wait_for(first.exists)
    kill(command.pid)
    command.communicate()
    before = first.read_bytes()
    command = start(*run, folder=tmp_path)
    wait_for((second.parent / "evidence" / "arrays").is_dir)
    kill(-command.pid, signal.SIGINT)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 130
    assert "1 of 2 unchanged" in said
    assert "Stopped: 1 of 2 submissions are done" in said
    build(CHEAP, tmp_path / "submitted", "ola")
    command = start(*run, folder=tmp_path)
    _, said = command.communicate(timeout=300)
    assert command.returncode == 0
    assert first.read_bytes() == before
    assert read_report(second).score == CHEAP_POINTS
    assert said.strip() == "splot: 1 of 2 unchanged since an earlier run and not graded again; --force does."
