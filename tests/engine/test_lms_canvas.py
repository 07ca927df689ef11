"""Grades in Canvas's gradebook, read back as Canvas imports them."""

import csv
import io
import re
from dataclasses import replace

import pytest

from autograder.engine.errors import SplotError
from autograder.engine.lms import Bonus, IssueKind, Rules, StudentGrade, fill_canvas
from tests.engine.lms_importers import GRADEBOOK, imported

ANNA = StudentGrade("anowak", 16.0, 20.0, bonus=1.5)
LUKASZ = StudentGrade("lzak", 17.25, 20.0, bonus=3.0)


@pytest.mark.parametrize("name", ["CNN (78)", "CNN", "78"])
def test_canvas_imports_what_was_meant(name: str) -> None:
    """Two grades in one column, every other cell of every student as it was."""
    before = imported(GRADEBOOK)
    filled = fill_canvas(GRADEBOOK, [ANNA, LUKASZ], Rules(column=name))
    after = imported(filled.content)
    assert {student: cells["CNN (78)"] for student, cells in after.items()} == {
        501: "17.5", 502: "20", 503: "EX", 504: "N/A", 505: "",
    }  # fmt: skip
    assert {student: cells["MLP (77)"] for student, cells in after.items()} == {
        student: cells["MLP (77)"] for student, cells in before.items()
    }
    assert filled.complete


def test_the_gradebook_differs_only_in_the_grades() -> None:
    """Muted row, points possible, read-only columns, notes, quotes and Canvas's own guard of a formula stay."""
    filled = fill_canvas(GRADEBOOK, [LUKASZ], Rules(column="CNN", bonus=Bonus.SEPARATE))
    assert filled.content == GRADEBOOK.replace(b",12.00,", b",17.25,")


def test_a_gradebook_with_semicolons_keeps_its_commas() -> None:
    """Canvas writes semicolons, decimal commas and a byte order mark where a user's settings say so."""
    table = list(csv.reader(io.StringIO(GRADEBOOK.decode(), newline="")))
    commas = [[re.sub(r"^(\d+)\.(\d\d)$", r"\1,\2", field) for field in row] for row in table]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=";", lineterminator="\r\n").writerows(commas)
    raw = b"\xef\xbb\xbf" + file.getvalue().encode()
    filled = fill_canvas(raw, [LUKASZ], Rules(column="CNN", bonus=Bonus.SEPARATE))
    assert filled.content == raw.replace(b";12,00;", b";17,25;")
    assert imported(filled.content)[502]["CNN (78)"] == "17.25"


def test_canvas_takes_more_than_full_marks() -> None:
    """--bonus add: unlike Moodle, Canvas has room above the maximum."""
    filled = fill_canvas(GRADEBOOK, [LUKASZ], Rules(column="CNN", bonus=Bonus.ADD))
    assert imported(filled.content)[502]["CNN (78)"] == "20.25"


def test_the_excused_and_the_unassigned_keep_their_cells() -> None:
    """EX and N/A are a person's or Canvas's decision; that a grade was not written is said."""
    grades = [replace(ANNA, student="elis"), replace(ANNA, student="jkos")]
    filled = fill_canvas(GRADEBOOK, grades, Rules(column="CNN"))
    assert filled.content == GRADEBOOK
    assert [issue.detail for issue in filled.by_kind[IssueKind.KEPT]] == ["EX instead of 17.5", "N/A instead of 17.5"]


@pytest.mark.parametrize(
    ("student", "by"), [("501", "ID"), ("s1001", "SIS User ID"), ("ANowak", "SIS Login ID"), ("Anna Nowak", "Student")]
)
def test_students_are_found_by_what_names_them(student: str, by: str) -> None:
    """Canvas's number, the school's, the login or the name."""
    filled = fill_canvas(GRADEBOOK, [replace(ANNA, student=student)], Rules(column="CNN"))
    assert (imported(filled.content)[501]["CNN (78)"], filled.by) == ("17.5", by)


def test_names_in_two_columns_are_one_name() -> None:
    """Canvas may part first and last names; neither alone is a student."""
    parted = re.sub(rb'(?m)^"(.*?), (.*?)"', rb"\1,\2", GRADEBOOK).replace(b"Student,ID", b"LastName,FirstName,ID")
    parted = parted.replace(b",,,,,,,Manual", b",,,,,,,,Manual").replace(b"Possible,", b"Possible,,")
    filled = fill_canvas(parted, [replace(ANNA, student="anna-nowak")], Rules(column="CNN"))
    assert imported(filled.content)[501]["CNN (78)"] == "17.5"
    assert filled.by == "LastName FirstName"


def test_rows_without_a_submission_are_listed() -> None:
    """All students of the gradebook, the test student too; not the rows about points and posting."""
    filled = fill_canvas(GRADEBOOK, [ANNA], Rules(column="CNN"))
    assert [issue.who for issue in filled.by_kind[IssueKind.ABSENT]] == [
        "row 5 (Żak, Łukasz, 502)",
        "row 6 ('=Lis, Ewa, 503)",
        "row 7 (Kos, Jan, 504)",
        "row 8 (Student, Test, 505)",
    ]


@pytest.mark.parametrize(
    ("content", "assignment", "sentence"),
    [
        (GRADEBOOK, "CNNs", r"0 columns.*MLP \(77\), CNN \(78\)"),
        (GRADEBOOK.replace(b"MLP (77)", b"CNN (77)"), "CNN", r"2 columns.*CNN \(77\), CNN \(78\)"),
        (GRADEBOOK, "Final Score", "read only"),
        (b"Name,Points\nAnna,1\n", "Points", "no gradebook"),
    ],
)
def test_what_cannot_be_filled_is_refused(content: bytes, assignment: str, sentence: str) -> None:
    """One sentence: no such column, several, one that Canvas does not import, another file."""
    with pytest.raises(SplotError, match=sentence):
        fill_canvas(content, [ANNA], Rules(column=assignment))
