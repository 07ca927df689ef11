"""Submissions and results lie apart: where one would lie in the other, nothing is graded, in one sentence."""

import subprocess
from pathlib import Path

import pytest

from autograder.engine.errors import SplotError
from autograder.engine.notebook.find import find_submissions, refuse_overlap
from tests.engine.interrupted_runs import SPLOT


def check(given: Path, out: Path) -> None:
    """Refuse as a run of `splot grade GIVEN --out OUT` does."""
    notebooks = find_submissions(given, "cnn", out)
    students = {path: path.absolute().parent.parent.name for path in notebooks}
    folders = {path: out / student / "cnn" for path, student in students.items()}
    refuse_overlap(folders, "cnn", out, of_class=len(notebooks) > 1)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a class of two in submitted/, and stand in the course."""
    for student in ("anna", "ola"):
        (tmp_path / "submitted" / student / "cnn").mkdir(parents=True)
        (tmp_path / "submitted" / student / "cnn" / "cnn.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("submitted", "graded"),
        ("submitted", "submitted/graded"),
        ("submitted", "submitted/../graded"),
        ("submitted", "submittedness"),
        ("submitted/anna", "submitted/anna/graded"),
        ("submitted/anna/cnn/cnn.ipynb", "graded"),
    ],
)
def test_results_beside_the_submissions_are_right(given: str, out: str, course: Path) -> None:
    """In the class's folder or another, and in one's own where one grades oneself."""
    check(Path(given), Path(out))
    check(course / given, Path(out))


def test_graded_beside_the_students_is_right(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`splot grade .` writes graded/ beside the students' folders, and again, and does not take it for a student's."""
    monkeypatch.chdir(course / "submitted")
    check(Path(), Path("graded"))
    Path("graded/anna/cnn/evidence").mkdir(parents=True)
    check(Path(), Path("graded"))


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("submitted", "submitted"),
        ("submitted", "."),
        ("submitted", "submitted/ola/.."),
        ("submitted", "submitted/anna"),
        ("submitted", "submitted/anna/cnn"),
        ("submitted", "submitted/anna/cnn/graded"),
        ("submitted", "submitted/anna/new/graded"),
        ("submitted/anna", "submitted/anna/cnn/graded"),
        ("submitted/anna", "submitted"),
        ("submitted/anna/cnn", "submitted/anna"),
        ("submitted/anna/cnn/cnn.ipynb", "submitted/anna/cnn/graded"),
        ("submitted", "link"),
        ("submitted", "inner"),
        ("link", "submitted"),
        ("submitted", "planted"),
        ("graded", "graded"),
    ],
)
def test_results_and_submissions_in_each_other_are_refused(given: str, out: str, course: Path) -> None:
    """Equal, above, below, a student's folder, through links, through a link among the results, the results themselves."""
    (course / "link").symlink_to("submitted")
    (course / "inner").symlink_to("submitted/ola/cnn")
    (course / "planted").mkdir()
    (course / "planted" / "ola").symlink_to("../submitted/anna")
    (course / "graded" / "ola" / "cnn" / "evidence").mkdir(parents=True)
    (course / "graded" / "ola" / "cnn" / "cnn.ipynb").touch()
    for folder in (Path(given), course / given):
        with pytest.raises(
            SplotError, match=r"(lies in the submission|lies in the output folder) .*; choose another --out\."
        ):
            check(folder, Path(out))


def test_a_student_called_like_the_results_is_not_passed_over(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `graded` is a student's folder nothing is written into it, and the student is not left out in silence."""
    (course / "submitted" / "ola").rename(course / "submitted" / "graded")
    monkeypatch.chdir(course / "submitted")
    with pytest.raises(SplotError, match="choose another --out"):
        check(Path(), Path("graded"))


def test_the_command_says_it_in_one_sentence_and_names_what_it_skips(course: Path) -> None:
    """Exit 2, the skipped folder on a line of its own, no traceback, and nothing written into the submission."""
    (course / "submitted" / ".ewa" / "cnn").mkdir(parents=True)
    (course / "submitted" / ".ewa" / "cnn" / "cnn.ipynb").touch()
    command = [*SPLOT, "grade", "submitted", "--out", "submitted/anna"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "splot: submitted/.ewa is not graded: its name begins with a dot, as hidden folders' do; rename it.",
        f"splot: The output folder submitted/anna lies in the submission {course}/submitted/anna; choose another --out.",
    ]
    assert sorted(path.name for path in (course / "submitted" / "anna").iterdir()) == ["cnn"]
