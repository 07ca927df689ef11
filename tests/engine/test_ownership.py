"""Whose evidence is judged: never another student's, another notebook's or an earlier run's."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config import LoggingConfigurable

from autograder.engine.errors import GraderError
from autograder.engine.evidence.exchange import delete_evidence
from autograder.engine.files import write_whole
from autograder.engine.grading.folders import publish_ungraded
from autograder.engine.grading.judge_process import _require_own
from autograder.engine.grading.task import Grading, GradingTask
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.report import Outcome, Profile, Report, read_report
from autograder.lesson.observations import LessonEvidence
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, again, done, task
from tests.engine.sandboxed_kernel import needs_bubblewrap

pytestmark = needs_bubblewrap


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> GradingTask:
    """Grade the cheap submission."""
    cheap = task(CHEAP, tmp_path_factory.mktemp("owned"))
    assert done(cheap).score == CHEAP_POINTS
    return cheap


def judged(folder: Path) -> Report:
    """Judge the evidence in a student's folder again."""
    return done(again(folder, Grading(Path())))


def test_evidence_in_its_own_folder_is_judged(graded: GradingTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever path the folder is named."""
    monkeypatch.chdir(graded.folder)
    for folder in (graded.folder, Path(), Path("../cnn"), graded.folder / "evidence" / ".."):
        assert judged(folder).score == CHEAP_POINTS


@pytest.mark.parametrize("place", ["eve/cnn", "ola/mlp", "Ola/cnn", "cnn"])
def test_evidence_in_anothers_folder_is_not_judged(graded: GradingTask, tmp_path: Path, place: str) -> None:
    """Copied to another student, another assignment, or out of the layout: ungraded, and it says whose it is."""
    folder = tmp_path / "graded" / place
    shutil.copytree(graded.folder / "evidence", folder / "evidence")
    report = judged(folder)
    assert (report.status, report.score) == (Outcome.UNGRADED, None)
    assert "is ola's of cnn, not" in (report.reason or "")
    assert read_report(folder / "report.json") == report


def test_a_link_lends_nobody_anothers_evidence(graded: GradingTask, tmp_path: Path) -> None:
    """A student's folder that is a link to another's is judged under its own name, and so not at all."""
    (tmp_path / "eve").symlink_to(graded.folder.parent)
    before = (graded.folder / "report.json").read_bytes()
    assert judged(tmp_path / "eve" / "cnn").status is Outcome.UNGRADED
    (graded.folder / "report.json").write_bytes(before)


def test_what_is_refused_leaves_no_earlier_evidence(graded: GradingTask, tmp_path: Path) -> None:
    """A notebook handed in anew that cannot be read: ungraded, and nothing is left that `splot judge` could grade."""
    anew = task(CHEAP, tmp_path)
    shutil.copytree(graded.folder / "evidence", anew.folder / "evidence")
    anew.notebook.write_text("{")
    assert done(anew).status is Outcome.UNGRADED
    assert sorted(path.name for path in anew.folder.iterdir()) == ["feedback.html", "report.json"]


def test_what_never_came_to_be_collected_leaves_no_earlier_evidence(graded: GradingTask, tmp_path: Path) -> None:
    """A task whose process ended keeps evidence of its notebook and no other's; one that judges keeps what it is to judge."""
    evidence = tmp_path / "graded" / "ola" / "cnn" / "evidence"
    shutil.copytree(graded.folder / "evidence", evidence)
    publish_ungraded(again(evidence.parent, Grading(Path())), "ended")
    early = task(CHEAP, tmp_path)
    publish_ungraded(early, "ended")
    assert LessonEvidence(evidence).file.student == "ola"
    early.notebook.write_text("{")
    publish_ungraded(early, "ended")
    assert not evidence.exists()


def test_evidence_that_was_exchanged_meanwhile_is_not_of_the_notebook(graded: GradingTask, tmp_path: Path) -> None:
    """Grading accepts the evidence of the notebook that it has just read, and no other's."""
    shutil.copytree(graded.folder, tmp_path / "ola" / "cnn")
    own = again(tmp_path / "ola" / "cnn", Grading(Path()))
    evidence = own.folder / "evidence"
    _require_own(own, evidence, LessonEvidence(evidence).file.digest)
    with pytest.raises(GraderError, match="as it stands"):
        _require_own(own, evidence, "0" * 64)


def test_withdrawing_follows_no_link(tmp_path: Path) -> None:
    """A link in the place of evidence goes, what it leads to stays; nothing there is nothing to do."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "evidence.json").touch()
    (tmp_path / "evidence").symlink_to("kept")
    delete_evidence(tmp_path / "evidence")
    delete_evidence(tmp_path / "evidence")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "evidence.json").exists()


@contextmanager
def masked(umask: int) -> Iterator[None]:
    """Make files under a umask."""
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a student's files by name; of the evidence all that occur, files and folders apart."""
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}
    evidence = [folder / "evidence", *(folder / "evidence").rglob("*")]
    files = {stat.S_IMODE(path.stat().st_mode) for path in evidence if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) & 0o777 for path in evidence if path.is_dir()}
    assert (files, folders) == ({0o600}, {0o700})
    return found


@pytest.mark.parametrize(
    ("umask", "mode", "group"),
    [
        (0o077, 0o600, False),
        (0o077, 0o660, True),
        pytest.param(0o000, 0o666, False, marks=pytest.mark.soak),
        pytest.param(0o022, 0o664, True, marks=pytest.mark.soak),
    ],
)
def test_evidence_is_private_and_reports_are_the_courses(umask: int, mode: int, group: bool, tmp_path: Path) -> None:
    """LessonEvidence 0600 in 0700 whatever the umask; report and page as it says, or the group's where the course is shared."""
    with masked(umask):
        cheap = task(CHEAP, tmp_path, how=Grading(tmp_path / "graded", Profile.QUICK, group=group))
        report = done(cheap)
        assert report.score == CHEAP_POINTS, report.reason
        assert modes(cheap.folder) == {"report.json": mode, "feedback.html": mode}
        shared = {stat.S_IMODE(path.stat().st_mode) & 0o2070 for path in (cheap.folder, cheap.folder.parent)}
        assert shared == ({0o2070} if group else {0o070 & ~umask})
        page = write_whole(cheap.folder / "later.html", b"")
        assert stat.S_IMODE(page.stat().st_mode) == mode


class _Converter(LoggingConfigurable):
    """What of nbgrader's converters our settings are read from."""

    coursedir: CourseDirectory


@pytest.mark.parametrize("shared", [True, False])
def test_nbgraders_groupshared_is_what_shares(shared: bool, tmp_path: Path) -> None:
    """The course's own setting decides, as for nbgrader's folders."""
    converter = _Converter()
    converter.coursedir = CourseDirectory(root=str(tmp_path), groupshared=shared)
    assert Splot.from_converter(converter).grading().group is shared


def test_the_report_tells_whose_evidence_it_judged(graded: GradingTask) -> None:
    """Digest and names stand in the evidence, so that a person can see whose it is."""
    file = LessonEvidence(graded.folder / "evidence").file
    assert (file.student, file.assignment, len(file.digest)) == ("ola", "cnn", 64)
    assert msgspec.structs.replace(judged(graded.folder), timing=file.timing).student == "ola"
