"""From reports and a person's marks to grades, to a table and back, and `splot export` itself."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from autograder.cli import ASSIGNMENT
from autograder.engine.errors import SplotError
from autograder.engine.files import write_report
from autograder.engine.lms import Bonus, StudentGrade, grade_of, grades_table, read_grades
from autograder.engine.lms.grades import read_marks
from autograder.engine.pages import read_reports
from autograder.engine.report import Outcome, Report
from autograder.engine.text import Lang, in_language
from tests.engine.lms_importers import GRADEBOOK, IN_ENGLISH, imported, worksheet
from tests.engine.reports import REPORT

SPLOT = [sys.executable, "-c", "from autograder.cli import main; main()"]
MARKS = {"c_tests": 1.5, "d_answer": 1.0}


def graded(folder: Path, *reports: Report) -> Path:
    """Write reports as `splot grade` does."""
    for report in reports:
        write_report(report, folder / report.student / ASSIGNMENT)
    return folder


def named(student: str) -> Report:
    """Return the sample report as another student's."""
    return msgspec.structs.replace(REPORT, student=student)


UNGRADED = msgspec.structs.replace(
    REPORT, student="jan", status=Outcome.UNGRADED, reason="=no data set", score=None, cells=(), needs_manual=()
)


def test_a_grade_is_out_of_all_points_and_says_what_waits() -> None:
    """Decided cells count, undecided and written ones are open, the bonus is apart."""
    grade = grade_of(REPORT, {})
    assert (grade.student, grade.score, grade.max_score, grade.bonus) == ("anna", 3.3, 8.5, 0.5)
    assert grade.open == ("c_tests", "d_answer")
    assert grade.cells == (
        ("a_tests", 3.0),
        ("b_tests", 0.1 + 0.2),
        ("c_tests", None),
        ("d_answer", None),
        ("e_tests", 0.5),
    )


def test_a_persons_marks_complete_a_grade() -> None:
    """Points for what the grader left open count; for what it decided they do not, and that is said."""
    grade = grade_of(REPORT, {**MARKS, "a_tests": 4.0, "b_tests": 0.3})
    assert (grade.score, grade.open) == (5.8, ())
    assert grade.ignored == ("the mark 4 for a_tests does not count: the grader decided 3",)


@pytest.mark.parametrize("mark", [-0.5, 1.75])
def test_a_mark_out_of_range_is_refused(mark: float) -> None:
    """No more than a cell is worth, no less than nothing."""
    with pytest.raises(SplotError, match=r"anna has .* for d_answer, which is worth 0 to 1.5"):
        grade_of(REPORT, {"d_answer": mark})


@pytest.mark.parametrize(
    ("score", "bonus", "total"),
    [(19.0, 3.0, (20.0, 22.0, 19.0)), (12.0, 3.0, (15.0, 15.0, 12.0)), (None, 0.0, (None, None, None))],
)
def test_the_bonus_is_added_as_the_instructor_says(
    score: float | None, bonus: float, total: tuple[float | None, ...]
) -> None:
    """Capped at full marks, added without a cap, left out; nothing comes of a submission without a score."""
    grade = StudentGrade("x", score, 20.0, bonus=bonus)
    assert tuple(grade.total(rule) for rule in (Bonus.CAP, Bonus.ADD, Bonus.SEPARATE)) == total


def test_the_comment_is_in_the_students_language() -> None:
    """Points by task, with the language's decimal mark, and what waits for a person."""
    assert grade_of(REPORT, {}).comment.startswith("Zadanie 1: 3 / 4; Zadanie 2: 0,3 / 1; Zadanie 3: oceni osoba")
    with in_language(Lang.EN):
        assert "Zadanie 2: 0.3 / 1; Zadanie 3: for a person to grade / 2" in grade_of(REPORT, {}).comment


def test_the_table_is_read_by_others_and_says_everything() -> None:
    """Pandas and csv find one row per student, one column per cell, numbers as numbers, nothing where nothing is decided."""
    raw = grades_table([grade_of(REPORT, {}), grade_of(UNGRADED, {})], Bonus.CAP)
    frame = pd.read_csv(io.BytesIO(raw))
    assert list(frame["student"]) == ["anna", "jan"]
    assert frame.loc[0, ["total", "score", "max_score", "bonus"]].tolist() == [3.8, 3.3, 8.5, 0.5]
    assert frame.loc[0, "open"] == "c_tests d_answer"
    assert frame["d_answer"].isna().all()
    assert frame.loc[1, "total":"bonus"].isna().all()


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "'=x", "'x", "Ana, „Ż”"])
def test_a_name_never_becomes_a_formula_and_is_read_back(tmp_path: Path, name: str) -> None:
    """An apostrophe stands before what a spreadsheet program would run; our own reader takes it off again."""
    path = tmp_path / "grades.csv"
    path.write_bytes(grades_table([grade_of(named(name), MARKS)], Bonus.CAP))
    ((_, row),) = [*enumerate(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))]
    assert row["student"].removeprefix("'") in {name, name.removeprefix("'")}
    assert not row["student"].startswith(("=", "+", "-", "@", "\t"))
    assert dict(read_marks(path, MARKS.keys())) == {name: MARKS}


def test_a_reason_never_becomes_a_formula() -> None:
    """Nor does any other text of the table."""
    assert b",'=no data set" in grades_table([grade_of(UNGRADED, {})], Bonus.CAP)


def test_marks_are_read_as_a_spreadsheet_program_saves_them(tmp_path: Path) -> None:
    """Semicolons, decimal commas, other columns with any text, empty cells: all is well."""
    path = tmp_path / "marks.csv"
    path.write_text("student;d_answer;notes;c_tests\r\nanna;1,0;so-so;1,5\r\njan;;absent;\r\n", "utf-8-sig")
    assert dict(read_marks(path, MARKS.keys())) == {"anna": MARKS}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,d_answer\nanna,1\n", "no column 'student'"),
        ("student,d_answer\nanna,good\n", "row 2 has 'good' for d_answer"),
        ("student,d_answer\nanna,1\nanna,1\n", "anna twice"),
        ("student,d_answer\nana,1\n", "marks for ana, who have no report"),
    ],
)
def test_marks_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """One sentence, naming file and row; no mark is dropped without a word."""
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(SplotError, match=sentence):
        read_grades([REPORT], path)


def test_a_folder_without_reports_is_one_sentence(tmp_path: Path) -> None:
    """So is a report that cannot be read."""
    with pytest.raises(SplotError, match="holds no reports"):
        read_reports(tmp_path, ASSIGNMENT)
    path = graded(tmp_path, REPORT) / "anna" / ASSIGNMENT / "report.json"
    path.write_text("{")
    with pytest.raises(SplotError, match=r"anna/cnn/report.json cannot be read "):
        read_reports(tmp_path, ASSIGNMENT)


def splot(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `splot export` in a folder."""
    return subprocess.run([*SPLOT, "export", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder with three graded submissions, Moodle's worksheet and Canvas's gradebook."""
    graded(tmp_path / "graded", named("anna.nowak"), named("anowak"), named("nobody"))
    (tmp_path / "worksheet.csv").write_bytes(worksheet())
    (tmp_path / "gradebook.csv").write_bytes(GRADEBOOK)
    return tmp_path


def test_from_the_table_with_marks_to_moodle(course: Path) -> None:
    """The instructor's round: the table, marks written into it, the worksheet filled; what is missing is listed."""
    assert splot("csv", folder=course).returncode == 0
    assert (
        "waits for a person (--marks or --partial):\n  anna.nowak"
        in splot("moodle", "worksheet.csv", folder=course).stdout
    )
    assert (course / "worksheet-filled.csv").read_bytes() == worksheet()
    table = pd.read_csv(course / "grades.csv")
    table.loc[table["student"] == "anna.nowak", list(MARKS)] = list(MARKS.values())
    table.to_csv(course / "marks.csv", index=False)
    done = splot("moodle", "worksheet.csv", "--marks", "marks.csv", "--bonus", "separate", folder=course)
    assert (done.returncode, done.stderr) == (1, "")
    assert "worksheet-filled.csv written: 1 of 3 grades" in done.stdout
    assert "not in the file:\n  anowak" in done.stdout
    assert "no submission:\n  row 3 (Participant 102, Łukasz Żak)" in done.stdout
    assert IN_ENGLISH.grades((course / "worksheet-filled.csv").read_bytes(), {102: 12.0}) == {101: 5.8}
    assert (course / "worksheet.csv").read_bytes() == worksheet()


def test_to_canvas_with_what_is_decided_so_far(course: Path) -> None:
    """--partial, --out, the assignment by its number."""
    done = splot("canvas", "gradebook.csv", "--assignment", "78", "--partial", "--out", "new/up.csv", folder=course)
    assert (done.returncode, done.stderr) == (1, "")
    assert imported((course / "new" / "up.csv").read_bytes())[501]["CNN (78)"] == "3.8"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["moodle"], "Give the file that you downloaded"),
        (["moodle", "worksheet.csv", "--out", "./worksheet.csv"], "worksheet.csv exists already"),
        (["moodle", "none.csv"], "none.csv cannot be read"),
        (
            ["moodle", "worksheet.csv", "--match", "PESEL"],
            "no column 'PESEL' to match by; it has Identifier, Full name",
        ),
        (["canvas", "gradebook.csv"], "--assignment"),
        (["csv", "--out", "gradebook.csv"], "gradebook.csv exists already"),
        (["csv", "--from", "nowhere"], "nowhere holds no reports"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(course: Path, arguments: list[str], sentence: str) -> None:
    """Exit 2, no traceback, no file, the downloaded ones as they were."""
    before = sorted(course.rglob("*"))
    done = splot(*arguments, folder=course)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(course.rglob("*")) == before
    assert (course / "worksheet.csv").read_bytes() == worksheet()
