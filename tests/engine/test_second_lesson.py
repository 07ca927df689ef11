"""A second lesson in the same engine: released, graded, judged again, put through nbgrader, by the same commands."""

import json
import shutil
from pathlib import Path

import pytest

from tests.engine.interrupted_runs import wait_for, workers
from tests.engine.rows_course import LESSON, ROOT, SPLOT, begin, command
from tests.engine.sandboxed_kernel import needs_bubblewrap

pytestmark = needs_bubblewrap
ANSWERS = {
    "ala": "def row_sums(X):\n    return [sum(row) for row in X]",
    "ola": "def row_sums(X):\n    return X.sum(axis=0)",
    "ula": "def row_sums(X):\n    return 1 / 0",
}
POINTS = {"ala": 2.0, "ola": 0.0, "ula": 0.0}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of that lesson, released, with three submissions, graded."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(LESSON / "source", course / "source")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    assert "✗" not in command(course, *SPLOT, "release")
    released = (course / "release" / "rows" / "rows.ipynb").read_text()
    assert "axis=1" not in released
    assert "tests.lessons" not in released
    for student, answer in ANSWERS.items():
        notebook = json.loads(released)
        next(cell for cell in notebook["cells"] if cell["id"] == "row_sums")["source"] = f"import numpy as np\n{answer}"
        path = course / "submitted" / student / "rows" / "rows.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook))
    command(course, *SPLOT, "grade", "submitted", "--lang", "en")
    return course


def reports(course: Path) -> dict[str, dict[str, object]]:
    """Return the reports by student."""
    return {path.parts[-3]: json.loads(path.read_text()) for path in course.glob("graded/*/rows/report.json")}


def test_each_has_the_points_of_the_work(course: Path) -> None:
    """Right, wrong, and one that raises: graded in the sandbox, with the lesson's own words."""
    found = reports(course)
    assert {student: report["score"] for student, report in found.items()} == POINTS
    assert {(report["max_score"], report["sandbox"], report["dataset"]) for report in found.values()} == {
        (2.0, "bwrap", None)
    }
    page = (course / "graded" / "ula" / "rows" / "feedback.html").read_text()
    assert "ZeroDivisionError" in page
    assert "None" not in page


def test_stored_evidence_is_judged_again(course: Path) -> None:
    """The same reports, without the notebooks, two at a time."""
    before = reports(course)
    shutil.move(course / "submitted", course / "aside")
    with begin(course, *SPLOT, "judge", "graded", "--lang", "en", "-j", "2") as judging:
        try:
            wait_for(lambda: len(workers(judging.pid)) == 2, 60)
            _, said = judging.communicate()
        finally:
            judging.kill()
            shutil.move(course / "aside", course / "submitted")
    assert judging.returncode == 0, said
    after = reports(course)
    assert [report.pop("timing") for report in after.values()] != [report.pop("timing") for report in before.values()]
    assert after == before


def test_the_class_has_a_page_and_a_table(course: Path) -> None:
    """Everybody is on it, and nothing of the other lesson."""
    command(course, *SPLOT, "report", "graded")
    page = (course / "graded" / "class.html").read_text()
    assert all(student in page for student in ANSWERS)
    assert "NumPy" in page
    assert "konwoluc" not in page
    command(course, *SPLOT, "export", "csv", "--from", "graded", "--out", "grades.csv")
    assert "ala" in (course / "grades.csv").read_text()


def test_nbgrader_takes_it(course: Path) -> None:
    """Autograded and given feedback by nbgrader's own commands."""
    for name in ("generate_assignment", "autograde", "generate_feedback"):
        command(course, "-m", "nbgrader", name, "rows", "--force")
    assert (course / "feedback" / "ala" / "rows" / "rows.html").is_file()
