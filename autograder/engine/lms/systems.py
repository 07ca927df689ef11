"""The files of each LMS: Moodle's offline grading worksheet, Canvas's gradebook, and a CSV table of our own.

Each is read as the instructor downloaded it and written beside it, never over it.
"""

import csv
import io
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from autograder.engine.errors import SplotError
from autograder.engine.files import write_whole
from autograder.engine.lms.fill import Column, Filled, Rules, fill
from autograder.engine.lms.grades import STUDENT, Bonus, Grade
from autograder.engine.lms.matching import Roster
from autograder.engine.lms.sheet import BOM, Sheet, number
from autograder.engine.text import inert

GRADE = ("grade", "ocena")
SCALE = ("scale", "skala")
COMMENTS = ("feedback comment", "komentarz")  # Polish sites word the rest in several ways


def fill_moodle(
    worksheet: bytes, grades: Sequence[Grade], rules: Rules, *, feedback: bool = False, column: str | None = None
) -> Filled:
    """Fill a downloaded worksheet; `column` is the header of its grades where that is neither Grade nor Ocena.

    With `feedback`, a line of points goes into the empty cells for comments. Raises `SplotError` where the file is not
    such a worksheet.
    """
    sheet = Sheet.parse(worksheet, "The worksheet")
    place = _grade(sheet, column)
    rows = [row for row in range(1, len(sheet.rows)) if not sheet.blank(row)]
    roster = Roster.of(sheet, rows, [(before,) for before in range(place)])
    return fill(
        roster, Column(place, _maximum(roster, place), feedback=_comments(sheet) if feedback else None), grades, rules
    )


def _grade(sheet: Sheet, column: str | None) -> int:
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


def _maximum(roster: Roster, grade: int) -> float | None:
    """Return the maximum that stands beside the grade in every row (mod/assign/gradingtable.php)."""
    values = {number(roster.sheet.text((row, grade + 1))) for row in roster.rows}
    return values.pop() if len(values) == 1 else None


def _comments(sheet: Sheet) -> int:
    for place, title in enumerate(sheet.header):
        if title.casefold().startswith(COMMENTS):
            return place
    raise SplotError("The worksheet has no column for comments; let Moodle's assignment take feedback comments.")


POSSIBLE = "Points Possible"
MUTED = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
FIXED = frozenset({"EX", "N/A"})  # excused; not assigned to this student


def fill_canvas(gradebook: bytes, grades: Sequence[Grade], rules: Rules, *, assignment: str) -> Filled:
    """Fill an exported gradebook's column of `assignment`: its header, its title or its number.

    Raises `SplotError` where the file is no such gradebook or has no such column.
    """
    sheet = Sheet.parse(gradebook, "The gradebook")
    place = _assignment(sheet, assignment)
    maximum = _possible(sheet, place)
    rows = [row for row in range(1, len(sheet.rows)) if _is_student(sheet, row)]
    return fill(
        Roster.of(sheet, rows, _identities(sheet)), Column(place, maximum, may_exceed=True, fixed=FIXED), grades, rules
    )


def _identities(sheet: Sheet) -> list[tuple[int, ...]]:
    """Return the columns before Section; where first and last name stand apart, the two as one."""
    end = sheet.header.index("Section")
    parted = sheet.header[:2] == ("LastName", "FirstName")
    return [(0, 1), *((place,) for place in range(2, end))] if parted else [(place,) for place in range(end)]


def _assignment(sheet: Sheet, assignment: str) -> int:
    if "Section" not in sheet.header or not sheet.header[0].startswith(("Student", "LastName")):
        raise SplotError(
            "This is no gradebook exported from Canvas: it does not begin with Student and has no Section."
        )
    columns = {place: title for place, title in enumerate(sheet.header) if place > sheet.header.index("Section")}
    found = [place for place, title in columns.items() if assignment.strip() in _names(title)]
    if len(found) != 1:
        raise SplotError(
            f"{len(found)} columns of the gradebook are called {assignment!r}; name one with --assignment, by its title "
            f"or number: {', '.join(columns.values())}."
        )
    return found[0]


def _names(title: str) -> set[str]:
    """Return what an assignment's column may be called: „CNN (123)”, „CNN” or „123”."""
    parts = re.fullmatch(r"(.*) \((\d+)\)", title)
    return {title, parts[1].strip(), parts[2]} if parts else {title}


def _possible(sheet: Sheet, place: int) -> float | None:
    for row in range(1, len(sheet.rows)):
        if POSSIBLE in sheet.text((row, 0)):
            worth = sheet.text((row, place))
            if re.search(r"read\s+only", worth):
                raise SplotError(f"Canvas does not import the column {sheet.header[place]}: it is read only.")
            return number(worth)
    return None


def _is_student(sheet: Sheet, row: int) -> bool:
    """Say whether a row is a student's: not the points, not the note on muted assignments."""
    texts = [sheet.text((row, column)) for column in range(len(sheet.rows[row]))]
    return POSSIBLE not in texts[0] and not all(MUTED.fullmatch(text) for text in texts)


COLUMNS = (STUDENT, "total", "score", "max_score", "bonus", "open", "reason")


def write_table(grades: Sequence[Grade], bonus: Bonus) -> bytes:
    """Return the table: a row a student, a column a cell; UTF-8 with a byte order mark, commas, decimal points.

    A text that a spreadsheet program would run as a formula stands behind an apostrophe. The cells that wait for a
    person are empty.
    """
    cells = list(dict.fromkeys(name for grade in grades for name, _ in grade.cells))
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([*COLUMNS, *cells])
    for grade in grades:
        scores = dict(grade.cells)
        known = (grade.total(bonus), grade.score, grade.max_score, grade.bonus)
        worth = ["" if grade.score is None or value is None else f"{value:g}" for value in known]
        texts = [inert(grade.student), *worth, " ".join(grade.open), inert(grade.reason)]
        writer.writerow([*texts, *("" if (score := scores.get(name)) is None else f"{score:g}" for name in cells)])
    return BOM + file.getvalue().encode(errors="replace")


class System(StrEnum):
    """Where grades go."""

    MOODLE = "moodle"
    CANVAS = "canvas"
    CSV = "csv"


def fill_file(
    system: System,
    downloaded: Path | None,
    out: Path | None,
    grades: Sequence[Grade],
    rules: Rules,
    *,
    assignment: str | None = None,
    feedback: bool = False,
) -> tuple[Path, Filled]:
    """Write the filled file and return its path with what is to be said; raises `SplotError`, and then writes nothing.

    Without `out` it stands beside `downloaded`, with `-filled` in its name, in place of an earlier such file; our own
    table is `grades.csv`. Nothing else is ever overwritten: an older table may hold marks.
    """
    if system is System.CSV:
        filled = Filled(write_table(grades, rules.bonus), "", len(grades), ())
        return write_whole(_new(out or Path("grades.csv")), filled.content), filled
    if downloaded is None:
        raise SplotError(f"Give the file that you downloaded: `splot export {system} FILE`.")
    target = downloaded.with_name(f"{downloaded.stem}-filled{downloaded.suffix}") if out is None else _new(out)
    content = _read(downloaded)
    if system is System.MOODLE:
        filled = fill_moodle(content, grades, rules, feedback=feedback, column=assignment)
    elif assignment is None:
        raise SplotError("Name the column to fill: --assignment TITLE, or its number in Canvas.")
    else:
        filled = fill_canvas(content, grades, rules, assignment=assignment)
    return write_whole(target, filled.content), filled


def _new(target: Path) -> Path:
    if target.exists():
        raise SplotError(f"{target} exists already; let --out name a new file, or move that one away.")
    return target


def _read(downloaded: Path) -> bytes:
    try:
        return downloaded.read_bytes()
    except OSError as error:
        raise SplotError(f"{downloaded} cannot be read: {error.strerror}.") from error
