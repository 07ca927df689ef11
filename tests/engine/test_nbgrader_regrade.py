"""Grading again keeps nbgrader's meaning: a person's points and extra credit stay, lateness and newer files count."""

from datetime import UTC, datetime

import msgspec
import pytest

from autograder.engine.nbgrader.gradebook import capped, read_gradebook
from autograder.engine.notebook.reading import read_ipynb
from autograder.engine.report import CellReport, Kind, Profile, Status
from autograder.lesson.observations import LessonEvidence
from tests.engine.nbgrader_course import Course
from tests.submissions.right import TASK_1
from tests.unsandboxed import write_evidence

TESTS, MATRIX, SAME = "task1_convolution_tests", "task1_matrix_tests", "task1_same_tests"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Make a course with one submission autograded: Task 1 and both its bonus cells done."""
    course = Course.at(tmp_path_factory.mktemp("course"))
    digest = read_ipynb(course.submit("jan", TASK_1)).digest
    folder = course.root / "graded" / "jan" / "cnn" / "evidence"
    write_evidence(TASK_1, folder, profile=Profile.QUICK, images={}, printed="")
    file = msgspec.structs.replace(LessonEvidence(folder).file, digest=digest, student="jan")
    (folder / "evidence.json").write_bytes(msgspec.json.encode(file))
    assert course.again("jan")["success"]
    (course.root / "gradebook.db").rename(course.root / "before.db")
    return course


@pytest.fixture
def jan(course: Course) -> Course:
    """Have the gradebook as it was after that."""
    (course.root / "gradebook.db").write_bytes((course.root / "before.db").read_bytes())
    return course


def test_a_persons_points_survive(jan: Course) -> None:
    """Points and a comment given by hand stand after a regrade, marked for another look; the grader's own are new."""
    with jan.submission("jan") as submission:
        next(grade for grade in submission.grades if grade.name == TESTS).manual_score = 3.5
        next(comment for comment in submission.comments if comment.name == "task1_same").manual_comment = "Ładnie."
    assert jan.again("jan")["success"]
    with jan.submission("jan") as submission:
        grade = next(grade for grade in submission.grades if grade.name == TESTS)
        assert (grade.manual_score, grade.auto_score, grade.score, grade.needs_manual_grade) == (3.5, 4.0, 3.5, True)
        assert next(c for c in submission.comments if c.name == "task1_same").comment == "Ładnie."


def test_a_bonus_stands_beside_the_instructors_extra_credit(jan: Course) -> None:
    """Extra credit of a person's, on the bonus cell or elsewhere, is kept to the point; ours is never given twice."""
    with jan.submission("jan") as submission:
        grades = {grade.name: grade for grade in submission.grades}
        assert (grades[MATRIX].extra_credit, grades[SAME].extra_credit, submission.score) == (0.5, 0.5, 5.0)
        grades[MATRIX].extra_credit = 0.75
        grades[SAME].extra_credit = None
        grades[TESTS].extra_credit = 0.2
    for most, matrix in ((None, 0.75), (0.1, 0.35), (0.0, 0.25), (None, 0.75)):
        assert jan.again("jan", max_bonus=most)["success"]
        with jan.submission("jan") as submission:
            grades = {grade.name: grade for grade in submission.grades}
            assert grades[MATRIX].extra_credit == matrix
            assert grades[TESTS].extra_credit == 0.2
    with jan.grade("jan", SAME) as taken_back:
        assert taken_back.extra_credit is None


def test_a_late_submission_pays_what_the_course_says(jan: Course) -> None:
    """The penalty is nbgrader's, taken from points and bonus together; an export takes it off too."""
    timestamp = jan.root / "submitted" / "jan" / "cnn" / "timestamp.txt"
    timestamp.write_text("2026-11-23 12:00:00 UTC")
    with jan.gradebook() as gradebook:
        gradebook.update_or_create_assignment("cnn", duedate=datetime(2026, 11, 22, tzinfo=UTC).isoformat())
    settings = jan.root / "nbgrader_config.py"
    before = settings.read_text()
    settings.write_text(before.replace('penalty_method = "none"', 'penalty_method = "zero"'))
    assert jan.again("jan")["success"]
    settings.write_text(before)
    timestamp.unlink()
    with jan.submission("jan") as submission:
        assert (submission.score, submission.late_submission_penalty) == (5.0, 5.0)
    assert exported(jan) == [("jan", 0.0, 0.0)]


def test_only_a_newer_file_is_graded_again_unasked(jan: Course) -> None:
    """Without force a submission is skipped, unless its timestamp is newer than that of the last grading."""
    timestamp = jan.root / "submitted" / "jan" / "cnn" / "timestamp.txt"
    timestamp.write_text("2026-11-24 12:00:00 UTC")
    assert jan.again("jan")["success"]
    assert "Skipping existing assignment" in jan.again("jan", force=False)["log"]
    timestamp.write_text("2026-11-24 12:00:01 UTC")
    assert "jan: 4.0 of 17.5 points" in jan.again("jan", force=False)["log"]
    timestamp.unlink()


def test_cells_speak_the_courses_language(jan: Course) -> None:
    """With `c.Splot.lang = "en"` cells and marking schemes are in English."""
    assert jan.again("jan", lang="en")["success"]
    cells = jan.autograded("jan")
    assert (
        cells[MATRIX]
        .outputs[0]
        .text.startswith("Task 1, bonus: convolution as a matrix product: 0.5 / 0.5 extra credit")
    )
    assert "for the instructor only" in cells["task4_comparison-scheme"].source


def exported(course: Course) -> list[tuple[str, float | None, float]]:
    """Return what an LMS would get."""
    with course.gradebook() as gradebook:
        grades = read_gradebook(gradebook, course.root, [], [])
    return [(grade.student, grade.score, grade.bonus) for grade in grades]


def test_an_export_tells_bonus_and_open_answers_apart(jan: Course) -> None:
    """Extra credit goes as a bonus, beside the points; a student without any autograded cell has no grade at all."""
    with jan.gradebook() as gradebook:
        gradebook.update_or_create_student("ewa", email="ewa@example.edu")
        gradebook.update_or_create_submission("cnn", "ewa")
        grades = read_gradebook(gradebook, jan.root, ["cnn"], [])
    ewa, student = grades
    assert (ewa.student, ewa.score, ewa.aliases) == ("ewa", None, ("ewa@example.edu",))
    assert (student.score, student.bonus, student.max_score, student.open) == (4.0, 1.0, 20.0, ())
    assert "Zadanie 1: konwolucja: 4 / 4" in student.comment


def test_other_evidence_is_not_taken_for_a_newer_file(jan: Course) -> None:
    """`--no-execute` judges what was collected of this very file: of another one nothing is graded, and it says so."""
    path = jan.root / "submitted" / "jan" / "cnn" / "cnn.ipynb"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n")
    try:
        told = jan.again("jan")
    finally:
        path.write_bytes(whole)
    assert not told["success"]
    assert "without --no-execute" in told["log"]


def test_points_changed_in_the_source_alone_stop_grading(jan: Course) -> None:
    """Where source and gradebook disagree on a cell's points, nothing is booked, and the remedy is named."""
    source = jan.root / "source" / "cnn" / "cnn.ipynb"
    before = source.read_text()
    source.write_text(before.replace('"points": 4', '"points": 5', 1))
    try:
        told = jan.again("jan")
    finally:
        source.write_text(before)
    assert not told["success"]
    assert "generate_assignment cnn --force" in told["log"]


def test_what_breaks_in_the_grader_is_no_zero(jan: Course) -> None:
    """LessonEvidence that is damaged leaves the grade as it was; nbgrader reports the student as failed."""
    folder = jan.root / "graded" / "jan" / "cnn" / "evidence"
    whole = (folder / "notebook.ipynb").read_bytes()
    (folder / "notebook.ipynb").write_bytes(b"{}")
    try:
        told = jan.again("jan")
    finally:
        (folder / "notebook.ipynb").write_bytes(whole)
    assert not told["success"]
    with jan.grade("jan", TESTS) as grade:
        assert grade.auto_score == 4.0


def test_a_bonus_is_capped_over_all_cells() -> None:
    """At most so many bonus points, taken in the notebook's order; what is not a bonus does not count into it."""
    cells = [
        CellReport("a", "", Kind.BONUS, 0.5, 0.5, Status.PASSED),
        CellReport("b", "", Kind.AUTO, 4, 4, Status.PASSED),
        CellReport("c", "", Kind.BONUS, 2, 1.5, Status.PARTIAL),
        CellReport("d", "", Kind.BONUS, 2, None, Status.UNDECIDED),
    ]
    assert capped(tuple(cells), None) == {"a": 0.5, "c": 1.5}
    assert capped(tuple(cells), 1.0) == {"a": 0.5, "c": 0.5}
    assert capped(tuple(cells), 0.0) == {"a": 0.0, "c": 0.0}
