"""The files of each LMS: Moodle's offline grading worksheet, Canvas's gradebook, and a CSV table of our own.

Each is read as the instructor downloaded it and written to a new file, never over it.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from autograder.engine.errors import SplotError
from autograder.engine.files import write_whole
from autograder.engine.lms.fill import Filled, GradeFile, Rules, fill
from autograder.engine.lms.grades import STUDENT, Bonus, StudentGrade
from autograder.engine.lms.sheet import Sheet, number, read_file
from autograder.engine.text import Field, csv_table

GRADE = ("grade", "ocena")
SCALE = ("scale", "skala")
COMMENTS = ("feedback comment", "komentarz")  # Polish sites differ in the rest of the header
POSSIBLE = "Points Possible"
MUTED = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
FIXED = frozenset({"EX", "N/A"})  # excused; not assigned to this student


class System(StrEnum):
    """The system that grades are exported to."""

    MOODLE = "moodle"
    CANVAS = "canvas"
    CSV = "csv"


def fill_file(
    system: System, downloaded: Path | None, out: Path | None, grades: Sequence[StudentGrade], rules: Rules
) -> tuple[Path, Filled]:
    """Write the filled file and return its path and the result; raises `SplotError` and then writes nothing.

    Without `out` it is written beside `downloaded`, with `-filled` in its name, replacing an earlier such file; our own
    table is `grades.csv`. Nothing else is ever overwritten: an older table may hold marks.
    """
    if system is System.CSV:
        downloaded = None
    elif downloaded is None:
        raise SplotError(f"Give the file that you downloaded: `splot export {system} FILE`.")
    beside = downloaded.with_name(f"{downloaded.stem}-filled{downloaded.suffix}") if downloaded else Path("grades.csv")
    target = out or beside
    if target.exists() and (out or not downloaded):
        raise SplotError(f"{target} exists already; let --out name a new file, or move that one away.")
    if downloaded is None:
        filled = Filled(grades_table(grades, rules.bonus), "", len(grades), ())
    else:
        fill_system = fill_moodle if system is System.MOODLE else fill_canvas
        filled = fill_system(read_file(downloaded), grades, rules)
    return write_whole(target, filled.content), filled


def fill_moodle(worksheet: bytes, grades: Sequence[StudentGrade], rules: Rules) -> Filled:
    """Fill a downloaded worksheet, its column headed Grade, Ocena or as the rules say.

    With `rules.feedback`, a line of points goes into the empty cells for comments. Raises `SplotError` where the file
    is not such a worksheet.
    """
    sheet = Sheet.parse(worksheet, "The worksheet")
    place = _moodle_column(sheet, rules.column)
    rows = [row for row in sheet.whole_rows if not sheet.blank(row)]
    # The maximum stands beside the grade in every row (mod/assign/gradingtable.php).
    maxima = {number(sheet.text((row, place + 1))) for row in rows}
    comments = next((at for at, title in enumerate(sheet.header) if title.casefold().startswith(COMMENTS)), None)
    if rules.feedback and comments is None:
        raise SplotError("The worksheet has no column for comments; let Moodle's assignment take feedback comments.")
    maximum = maxima.pop() if len(maxima) == 1 else None
    names = [(before,) for before in range(place)]
    file = GradeFile(sheet, rows, names, place, maximum, comments=comments if rules.feedback else None)
    return fill(file, grades, rules)


def _moodle_column(sheet: Sheet, column: str | None) -> int:
    """Return the column of grades: Identifier and name come before it."""
    wanted = GRADE if column is None else (column.strip().casefold(),)
    found = [place for place, title in enumerate(sheet.header) if title.casefold() in wanted]
    if len(found) != 1 or found[0] == 0:
        raise SplotError(
            f"The worksheet has {len(found)} columns headed {' or '.join(wanted)}; name the column of grades with "
            f"--assignment: it has {', '.join(sheet.header)}."
        )
    if any(title.casefold() in SCALE for title in sheet.header):
        raise SplotError("This assignment is graded on a scale; let Moodle grade it in points, and download it again.")
    return found[0]


def fill_canvas(gradebook: bytes, grades: Sequence[StudentGrade], rules: Rules) -> Filled:
    """Fill an exported gradebook's column of one assignment: the rules name its header, its title or its number.

    Raises `SplotError` where the file is no such gradebook or has no such column.
    """
    if rules.column is None:
        raise SplotError("Name the column to fill: --assignment TITLE, or its number in Canvas.")
    sheet = Sheet.parse(gradebook, "The gradebook")
    place = _canvas_column(sheet, rules.column)
    rows = [row for row in sheet.whole_rows if _is_student(sheet, row)]
    names: list[tuple[int, ...]] = [(column,) for column in range(sheet.header.index("Section"))]
    if sheet.header[:2] == ("LastName", "FirstName"):
        names[:2] = [(0, 1)]
    file = GradeFile(sheet, rows, names, place, _possible(sheet, place), may_exceed=True, fixed=FIXED)
    return fill(file, grades, rules)


def _canvas_column(sheet: Sheet, assignment: str) -> int:
    """Return the column called „CNN (123)”, „CNN” or „123”."""
    if "Section" not in sheet.header or not sheet.header[0].startswith(("Student", "LastName")):
        raise SplotError(
            "This is no gradebook exported from Canvas: it does not begin with Student and has no Section."
        )
    columns = {place: title for place, title in enumerate(sheet.header) if place > sheet.header.index("Section")}
    found = []
    for place, title in columns.items():
        parts = re.fullmatch(r"(.*) \((\d+)\)", title)
        if assignment.strip() in ({title, parts[1].strip(), parts[2]} if parts else {title}):
            found.append(place)
    if len(found) != 1:
        raise SplotError(
            f"{len(found)} columns of the gradebook are called {assignment!r}; name one with --assignment, by its title "
            f"or number: {', '.join(columns.values())}."
        )
    return found[0]


def _possible(sheet: Sheet, place: int) -> float | None:
    """Return the points possible in a column; raises `SplotError` where Canvas does not import it."""
    for row in range(1, len(sheet.rows)):
        if POSSIBLE in sheet.text((row, 0)):
            text = sheet.text((row, place))
            if re.search(r"read\s+only", text):
                raise SplotError(f"Canvas does not import the column {sheet.header[place]}: it is read only.")
            return number(text)
    return None


def _is_student(sheet: Sheet, row: int) -> bool:
    """Whether a row belongs to a student: it is neither the row of points nor the note on muted assignments."""
    texts = [sheet.text((row, column)) for column in range(len(sheet.rows[row]))]
    return POSSIBLE not in texts[0] and not all(MUTED.fullmatch(text) for text in texts)


def grades_table(grades: Sequence[StudentGrade], bonus: Bonus) -> bytes:
    """Return our own table as CSV: one row per student, one column per cell, empty where a person decides."""
    cells = list(dict.fromkeys(name for grade in grades for name, _ in grade.cells))
    rows: list[list[Field]] = []
    for grade in grades:
        scores = dict(grade.cells)
        known = (grade.total(bonus), grade.score, grade.max_score, grade.bonus)
        sums = known if grade.score is not None else (None,) * len(known)
        rows.append([grade.student, *sums, " ".join(grade.open), grade.reason, *map(scores.get, cells)])
    return csv_table((STUDENT, "total", "score", "max_score", "bonus", "open", "reason", *cells), rows)
