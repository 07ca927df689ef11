"""Grades in Moodle's worksheet, read back as Moodle imports them."""

import io
from dataclasses import replace

import pandas as pd
import pytest

from autograder.engine.errors import SplotError
from autograder.engine.lms import Bonus, Filled, IssueKind, Rules, StudentGrade, fill_moodle
from tests.engine.lms_importers import ENGLISH, IN_ENGLISH, IN_POLISH, MoodleSite, worksheet

ANNA = StudentGrade("anna.nowak", 16.0, 20.0, bonus=1.5, comment='Zadanie 1 „<b>": 4 / 4')
LUKASZ = StudentGrade("lukasz", 17.25, 20.0, comment="Zadanie 1: 4 / 4")
EWA = StudentGrade("ewa", 19.5, 20.0, bonus=3.0)


@pytest.mark.parametrize(("polish", "site"), [(False, IN_ENGLISH), (True, IN_POLISH)])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_moodle_imports_what_was_meant(polish: bool, site: MoodleSite, end: str) -> None:
    """In both languages, each with its decimal mark: the right grades for the right participants, no other row touched."""
    filled = fill_moodle(worksheet(polish=polish, end=end), [ANNA, LUKASZ, EWA], Rules())
    assert site.grades(filled.content, {102: 12.0}) == {101: 17.5, 102: 17.25, 103: 20.0}
    assert (filled.placed, filled.complete) == (3, True)


@pytest.mark.parametrize("polish", [False, True])
def test_moodles_worksheet_differs_only_in_the_grades(polish: bool) -> None:
    """Header, order, byte order mark, line ends, quotes, comments and a name like a formula stay as Moodle wrote them."""
    before = worksheet(polish=polish, end="\r\n")
    after = fill_moodle(before, [LUKASZ], Rules()).content
    old, new = ('"12,00"', '"17,25"') if polish else ("12.00", "17.25")
    assert after == before.replace(old.encode(), new.encode(), 1)
    assert b'"=Ewa ""Ewka"" Lis"' in after


def test_pandas_reads_the_worksheet() -> None:
    """A second independent reader finds the same columns and the grades as numbers."""
    filled = fill_moodle(worksheet(), [ANNA, LUKASZ], Rules())
    frame = pd.read_csv(io.BytesIO(filled.content))
    assert list(frame.columns) == ENGLISH.split(",")
    assert frame["Grade"].tolist()[:2] == [17.5, 17.25]
    assert frame["Grade"].isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("student", "by"),
    [
        ("Participant 101", "Identifier"),
        ("Anna Nowak_101_assignsubmission_file", "Identifier"),
        ("anna nowak", "Full name"),
        ("Nowak_Anna", "Full name"),
        ("S1001", "ID number"),
        ("Anna.Nowak@example.edu", "Email address"),
        ("anna.nowak", "Email address"),
    ],
)
def test_students_are_found_by_what_names_them(student: str, by: str) -> None:
    """The column need not be said: a folder of Moodle's own download, a name in either order, a number, an address."""
    filled = fill_moodle(worksheet(), [replace(ANNA, student=student)], Rules())
    assert IN_ENGLISH.grades(filled.content, {102: 12.0}) == {101: 17.5}
    # Both the name and the address of anna.nowak are like it: the first column counts.
    assert filled.by == ("Full name" if student == "anna.nowak" else by)


def test_a_bare_number_is_a_participant_only_where_that_was_said() -> None:
    """Index numbers resemble participants' numbers: nobody gets a grade by such a chance."""
    grade = replace(ANNA, student="101")
    assert kinds(fill_moodle(worksheet(), [grade], Rules()), "101") == [IssueKind.UNMATCHED]
    filled = fill_moodle(worksheet(), [grade], Rules(match="identifier"))
    assert IN_ENGLISH.grades(filled.content, {102: 12.0}) == {101: 17.5}


def test_an_address_at_another_place_is_another_person() -> None:
    """Only who has no @ is found by what stands before it."""
    grade = replace(ANNA, student="anna.nowak@elsewhere.org")
    assert kinds(fill_moodle(worksheet(), [grade], Rules()), grade.student) == [IssueKind.UNMATCHED]


def test_one_column_names_the_whole_class() -> None:
    """The one that settles the most; who is not in it is listed, not sought elsewhere."""
    grades = [replace(ANNA, student="s1001"), replace(LUKASZ, student="s1002"), replace(EWA, student="ewa")]
    filled = fill_moodle(worksheet(), grades, Rules())
    assert filled.by == "ID number"
    assert kinds(filled, "ewa") == [IssueKind.UNMATCHED]
    assert not filled.complete


def test_who_cannot_be_told_apart_is_listed_from_either_side() -> None:
    """Two rows of one name, or two submissions for one row: neither gets a grade, both are named."""
    twins = worksheet().replace("Łukasz Żak".encode(), b"Anna Nowak")
    filled = fill_moodle(twins, [replace(ANNA, student="Anna Nowak")], Rules(match="Full name"))
    (issue,) = filled.by_kind[IssueKind.DOUBLED]
    assert issue.detail == "row 2 (Participant 101, Anna Nowak), row 3 (Participant 102, Anna Nowak)"
    filled = fill_moodle(worksheet(), [ANNA, replace(EWA, student="ANNA.NOWAK")], Rules())
    assert [issue.who for issue in filled.by_kind[IssueKind.DOUBLED]] == ["anna.nowak", "ANNA.NOWAK"]
    assert filled.content == worksheet()


def test_every_student_is_accounted_for() -> None:
    """Each grade is in the file or listed with its reason, each row has a grade or is listed; the rows all stay."""
    waiting = replace(ANNA, open=("task4_comparison",))
    broken = StudentGrade("lukasz", None, 0.0, reason="no data set")
    filled = fill_moodle(worksheet(), [waiting, broken, replace(EWA, student="nobody")], Rules())
    said = {(issue.kind, issue.who, issue.detail) for issue in filled.issues}
    assert said >= {
        (IssueKind.OPEN, "anna.nowak", "task4_comparison"),
        (IssueKind.UNGRADED, "lukasz", "no data set"),
        (IssueKind.UNMATCHED, "nobody", "no 'Email address' of the file fits"),
    }
    assert [issue.who for issue in filled.by_kind[IssueKind.ABSENT]] == [
        'row 4 (Participant 103, =Ewa "Ewka" Lis)',
        "row 5 (Participant 104, Jan Kos)",
    ]
    assert filled.content == worksheet()


def test_a_grade_that_waits_is_written_on_request_and_an_ungraded_one_never() -> None:
    """--partial: what is decided so far; nothing that was not judged becomes a zero."""
    grades = [replace(ANNA, open=("task4_comparison",)), StudentGrade("lukasz", None, 0.0, reason="no data set")]
    filled = fill_moodle(worksheet(), grades, Rules(partial=True))
    assert IN_ENGLISH.grades(filled.content, {102: 12.0}) == {101: 17.5}
    assert kinds(filled, "lukasz") == [IssueKind.UNGRADED]


@pytest.mark.parametrize(("bonus", "grade"), [(Bonus.CAP, 20.0), (Bonus.SEPARATE, 19.5)])
def test_bonus_points_count_as_the_instructor_says(bonus: Bonus, grade: float) -> None:
    """Up to full marks, or not at all."""
    filled = fill_moodle(worksheet(), [EWA], Rules(bonus=bonus))
    assert IN_ENGLISH.grades(filled.content, {102: 12.0}) == {103: grade}


def test_what_moodle_would_drop_without_a_word_is_said() -> None:
    """Above the assignment's maximum Moodle skips a grade: it is listed; with a higher maximum it is written."""
    filled = fill_moodle(worksheet(), [EWA], Rules(bonus=Bonus.ADD))
    assert (kinds(filled, "ewa"), filled.content) == ([IssueKind.ABOVE], worksheet())
    filled = fill_moodle(worksheet(most="23"), [EWA], Rules(bonus=Bonus.ADD))
    assert replace(IN_ENGLISH, most=23.0).grades(filled.content, {102: 12.0}) == {103: 22.5}


def test_another_maximum_is_said_or_converted() -> None:
    """A worksheet of 100 points gets 17.5 with a warning, or 87.5 on request."""
    site = replace(IN_ENGLISH, most=100.0)
    filled = fill_moodle(worksheet(most="100"), [ANNA], Rules())
    assert site.grades(filled.content, {102: 12.0}) == {101: 17.5}
    assert filled.by_kind[IssueKind.MAXIMUM][0].detail == "100 points, ours 20; --scale converts"
    filled = fill_moodle(worksheet(most="100"), [ANNA], Rules(scale=True))
    assert site.grades(filled.content, {102: 12.0}) == {101: 87.5}
    assert IssueKind.MAXIMUM not in filled.by_kind


def test_a_grade_that_stands_there_is_kept_or_its_change_said() -> None:
    """12 → 17.25 is listed; --keep leaves it and says so; an equal one, however written, stays as it is."""
    filled = fill_moodle(worksheet(), [LUKASZ], Rules())
    assert filled.by_kind[IssueKind.CHANGED][0].detail == "12.00 → 17.25"
    quoted = fill_moodle(worksheet().replace(b",12.00,", b',"12.00",'), [LUKASZ], Rules())
    assert quoted.content == filled.content.replace(b",17.25,", b',"17.25",')
    filled = fill_moodle(worksheet(), [LUKASZ], Rules(keep=True))
    assert (filled.by_kind[IssueKind.KEPT][0].detail, filled.content) == ("12.00 instead of 17.25", worksheet())
    filled = fill_moodle(worksheet(), [replace(LUKASZ, score=12.0)], Rules())
    assert (filled.content, filled.placed, kinds(filled, "lukasz")) == (worksheet(), 1, [])


def test_comments_go_where_none_stands_and_ours_are_renewed() -> None:
    """Escaped, since Moodle shows them as HTML; a person's comment is never replaced; without the option none is."""
    filled = fill_moodle(worksheet(), [ANNA, LUKASZ], Rules(feedback=True))
    comments = IN_ENGLISH.comments(filled.content)
    assert comments[101] == 'Splot: Zadanie 1 „&lt;b&gt;": 4 / 4'
    assert comments[102] == "<p>Dobrze,\ntak trzymać</p>"
    assert kinds(filled, "lukasz") == [IssueKind.CHANGED, IssueKind.KEPT]
    again = fill_moodle(filled.content, [replace(ANNA, comment="Zadanie 1: 3 / 4")], Rules(feedback=True))
    assert IN_ENGLISH.comments(again.content)[101] == "Splot: Zadanie 1: 3 / 4"


def test_a_row_of_another_width_is_left_and_named() -> None:
    """A broken row is not guessed at."""
    broken = worksheet().replace(b"s1004,", b"")
    filled = fill_moodle(broken, [replace(ANNA, student="jan")], Rules())
    assert filled.by_kind[IssueKind.MALFORMED][0].detail == "10 cells under 11 headers"
    assert filled.content == broken


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n", "has 0 columns headed grade or ocena; .*--assignment"),
        (worksheet().replace(b"Status", b"Grade"), "has 2 columns"),
        (worksheet().replace(b"Maximum grade", b"Scale"), "scale"),
    ],
)
def test_what_is_no_worksheet_is_refused(content: bytes, sentence: str) -> None:
    """One sentence, with what to do."""
    with pytest.raises(SplotError, match=sentence):
        fill_moodle(content, [ANNA], Rules())


def test_a_worksheet_in_another_language_is_filled_by_its_header() -> None:
    """The column of grades is named where it is neither Grade nor Ocena."""
    german = worksheet().replace(b",Grade,", b",Bewertung,")
    filled = fill_moodle(german, [ANNA], Rules(column="bewertung"))
    assert filled.content == german.replace(b'grading",,', b'grading",17.5,')
    with pytest.raises(SplotError, match="comments"):
        fill_moodle(
            german.replace(b"Feedback comments", b"Feedback als Kommentar"),
            [ANNA],
            Rules(column="Bewertung", feedback=True),
        )


def kinds(filled: Filled, who: str) -> list[IssueKind]:
    """Return what is said of one student."""
    return [issue.kind for issue in filled.issues if issue.who == who]
