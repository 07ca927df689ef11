"""Reads and writes a CSV file without changing any byte except in the cells that are filled in.

Python's `csv` cannot do this: it forgets which fields were quoted, the line ends and the byte order mark, and an
instructor's file then differs from the LMS's own in every line.
"""

import math
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from autograder.engine.errors import SplotError

DELIMITERS = ",;\t"

Place = tuple[int, int]
"""Row and column of a cell, from 0; row 0 is the header."""


@dataclass(frozen=True)
class Sheet:
    """A parsed CSV file: the raw fields of each row, quotes included, and each row's line end."""

    rows: tuple[tuple[str, ...], ...]
    ends: tuple[str, ...]
    delimiter: str
    bom: bool

    @classmethod
    def parse(cls, raw: bytes, name: str) -> Self:
        """Read a CSV file in UTF-8, separated by commas, semicolons or tabs; raises `SplotError` naming the file."""
        try:
            text = raw.removeprefix(BOM_UTF8).decode()
        except UnicodeDecodeError as error:
            advice = "download it again, and do not save it in a spreadsheet program"
            raise SplotError(f"{name} is not UTF-8; {advice}.") from error
        if not text.strip():
            raise SplotError(f"{name} is empty; download it again.")
        delimiter = max(DELIMITERS, key=lambda each: len(_split(text, each)[0][0]))
        rows, ends = _split(text, delimiter)
        return cls(rows, ends, delimiter, raw.startswith(BOM_UTF8))

    @property
    def header(self) -> tuple[str, ...]:
        """The texts of the first row."""
        return tuple(self.text((0, column)).strip() for column in range(len(self.rows[0])))

    @property
    def whole_rows(self) -> list[int]:
        """The indices of the rows below the header that have as many cells as the header."""
        return [row for row, fields in enumerate(self.rows) if row and len(fields) == len(self.rows[0])]

    def text(self, place: Place) -> str:
        """Return a cell's text without its quotes; empty if the row is too short."""
        row, column = place
        raw = self.rows[row][column] if column < len(self.rows[row]) else ""
        if not raw.startswith('"'):
            return raw
        quoted = _QUOTED.match(raw)
        return raw if quoted is None else quoted[1].replace('""', '"') + raw[quoted.end() :]

    def blank(self, row: int) -> bool:
        """Whether all cells of a row are empty."""
        return not any(self.text((row, column)).strip() for column in range(len(self.rows[row])))

    def filled(self, cells: Mapping[Place, str]) -> bytes:
        """Return the file with these cells filled in and everything else as it was, byte for byte."""
        rows = [list(row) for row in self.rows]
        for (row, column), text in cells.items():
            # Quoted if the text needs it, or if the old text was quoted.
            quoted = rows[row][column].startswith('"') or any(each in text for each in f'{self.delimiter}"\r\n')
            rows[row][column] = '"{}"'.format(text.replace('"', '""')) if quoted else text
        lines = (self.delimiter.join(row) + end for row, end in zip(rows, self.ends, strict=True))
        return BOM_UTF8 * self.bom + "".join(lines).encode()


def read_file(path: Path) -> bytes:
    """Return an instructor's file; raises `SplotError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SplotError(f"{path} cannot be read: {error.strerror}.") from error


def number(text: str) -> float | None:
    """Read a number with a decimal point or comma, rounded to two decimals as an LMS compares it; None for other text."""
    try:
        value = float(text.replace("\N{NO-BREAK SPACE}", "").replace(" ", "").replace(",", "."))
    except ValueError:
        return None
    return round(value, 2) if math.isfinite(value) else None


_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


def _split(text: str, delimiter: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Split a file into the raw fields of its rows and the line end of each."""
    field = re.compile(rf"((?:{_QUOTED.pattern})?[^{delimiter}\r\n]*)({delimiter}|\r\n|\r|\n|\Z)")
    found = [(match[1], match[3]) for match in field.finditer(text)]
    if len(found) > 1 and found[-1] == ("", "") and found[-2][1] != delimiter:
        found.pop()  # what follows the last line's end is no row
    ends = [number for number, (_, end) in enumerate(found) if end != delimiter]
    rows = tuple(tuple(raw for raw, _ in found[first + 1 : last + 1]) for first, last in pairwise([-1, *ends]))
    return rows, tuple(found[number][1] for number in ends)
