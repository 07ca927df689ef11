"""Moodle's offline grading worksheet, filled in.

Moodle finds the columns by their headers in the user's language (mod/assign/feedback/offline/importgradeslib.php), so the
worksheet must be the one it made. It skips, without a word, a grade above the assignment's maximum, and reads the
decimal mark of that language or a point (`unformat_float`): the worksheet's own mark is right in both.
"""

from collections.abc import Sequence

from autograder.errors import SplotError
from autograder.export.fill import Column, Filled, Rules, fill
from autograder.export.grades import Grade
from autograder.export.matching import Roster
from autograder.export.sheet import Sheet, number

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
