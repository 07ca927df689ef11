"""Points that a person gave, read from a CSV table: the one that `splot export csv` writes, or any with its columns."""

from collections.abc import Collection, Mapping
from pathlib import Path

from autograder.errors import SplotError
from autograder.export.sheet import Sheet, number
from autograder.spreadsheet import as_meant

STUDENT = "student"

Marks = Mapping[str, Mapping[str, float]]
"""Points by student and cell id."""


def read_marks(path: Path, cells: Collection[str]) -> Marks:
    """Read the columns `student` and `cells` of a table; empty fields are no marks, other columns do not count.

    Raises `SplotError` on what is no number, on a student twice, on a file without `student`.
    """
    sheet = Sheet.parse(_bytes(path), str(path))
    if STUDENT not in sheet.header:
        raise SplotError(f"{path} has no column {STUDENT!r}; `splot export csv` writes such a table.")
    marks: dict[str, dict[str, float]] = {}
    for row in range(1, len(sheet.rows)):
        given = _given(sheet, row, path, cells)
        student = as_meant(sheet.text((row, sheet.header.index(STUDENT))).strip())
        if given and student in marks:
            raise SplotError(f"{path} has {student} twice; leave one row.")
        if given:
            marks[student] = given
    return marks


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SplotError(f"{path} cannot be read: {error.strerror}.") from error


def _given(sheet: Sheet, row: int, path: Path, cells: Collection[str]) -> dict[str, float]:
    given = {}
    for column, cell in enumerate(sheet.header):
        text = sheet.text((row, column)).strip()
        if cell in cells and text:
            value = number(text)
            if value is None:
                raise SplotError(f"{path}, row {row + 1} has {text!r} for {cell}; write a number of points.")
            given[cell] = value
    return given
