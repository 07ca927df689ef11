"""Canvas's gradebook, as exported, filled in.

What is a student's row and what is not, and where assignments begin, is as in Canvas's own
lib/gradebook_exporter.rb and lib/gradebook_importer.rb.
"""

import re
from collections.abc import Sequence

from autograder.errors import SplotError
from autograder.export.fill import Column, Filled, Rules, fill
from autograder.export.grades import Grade
from autograder.export.matching import Roster
from autograder.export.sheet import Sheet, number

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
