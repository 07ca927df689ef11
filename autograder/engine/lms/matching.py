"""Which row of an LMS's file is whose: by one column for the whole class, or by none."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from autograder.engine.errors import SplotError
from autograder.engine.lms.grades import Grade
from autograder.engine.lms.sheet import Sheet

Spelling = Callable[[str], str]
Likeness = tuple[Spelling, Spelling]
"""How a row's text and a student's name are spelled to be compared; an empty spelling is like nothing."""


@dataclass(frozen=True)
class Roster:
    """The well-formed rows of a file that are students, and the columns that may name them."""

    sheet: Sheet
    rows: tuple[int, ...]
    columns: tuple[tuple[int, ...], ...]
    """Each a column, or several that together are a name."""

    @classmethod
    def of(cls, sheet: Sheet, rows: Iterable[int], columns: Sequence[tuple[int, ...]]) -> Self:
        """Take of these rows those that have a cell for every column of the header."""
        return cls(sheet, tuple(row for row in rows if len(sheet.rows[row]) == len(sheet.rows[0])), tuple(columns))

    def title(self, columns: tuple[int, ...]) -> str:
        """Return the header of a column, or of several."""
        return " ".join(self.sheet.header[column] for column in columns)

    def text(self, row: int, columns: tuple[int, ...]) -> str:
        """Return what names a student in a row."""
        return " ".join(self.sheet.text((row, column)) for column in columns)

    def name(self, row: int) -> str:
        """Return what a person knows a row by: its line and its first columns."""
        names = (self.text(row, columns).strip() for columns in self.columns[:2])
        return f"row {row + 1} ({', '.join(name for name in names if name)})"


@dataclass(frozen=True)
class Matches:
    """The rows found by one column: `rows` of each grade, in the grades' order; one is right, none or several are not."""

    by: str
    rows: tuple[tuple[int, ...], ...]

    @property
    def taken(self) -> Counter[int]:
        """How many grades claim each row."""
        return Counter(row for rows in self.rows for row in rows)

    @property
    def certain(self) -> tuple[int | None, ...]:
        """The row of each grade where it has just one and shares it with nobody."""
        taken = self.taken
        return tuple(rows[0] if len(rows) == 1 and taken[rows[0]] == 1 else None for rows in self.rows)


def match(roster: Roster, grades: Sequence[Grade], by: str | None) -> Matches:
    """Find each grade's rows by the column headed `by`, or else by the one column that settles the most students."""
    if by is not None:
        return _by(roster, grades, _named(roster, by), (*LIKENESSES, (_participant, _exact)))
    found = [_by(roster, grades, columns, LIKENESSES) for columns in roster.columns]
    return max(found, key=lambda matches: (len(matches.rows) - matches.certain.count(None), matches.taken.total()))


def _named(roster: Roster, header: str) -> tuple[int, ...]:
    for columns in roster.columns:
        if _exact(roster.title(columns)) == _exact(header):
            return columns
    titles = ", ".join(roster.title(columns) for columns in roster.columns)
    raise SplotError(f"The file has no column {header!r} to match by; it has {titles}.")


def _by(roster: Roster, grades: Sequence[Grade], columns: tuple[int, ...], alike: Sequence[Likeness]) -> Matches:
    indices = [(_index(roster, columns, of_row), of_student) for of_row, of_student in alike]
    rows = tuple(_rows((grade.student, *grade.aliases), indices) for grade in grades)
    return Matches(roster.title(columns), rows)


def _index(roster: Roster, columns: tuple[int, ...], of_row: Spelling) -> dict[str, tuple[int, ...]]:
    index: dict[str, tuple[int, ...]] = {}
    for row in roster.rows:
        spelled = of_row(roster.text(row, columns))
        index[spelled] = (*index.get(spelled, ()), row)
    return index


def _rows(names: Sequence[str], indices: Sequence[tuple[dict[str, tuple[int, ...]], Spelling]]) -> tuple[int, ...]:
    """Return the rows that one of a student's names is like, in the strictest sense in which any is."""
    for name in names:
        for index, of_student in indices:
            if (spelled := of_student(name)) and spelled in index:
                return index[spelled]
    return ()


def _exact(text: str) -> str:
    """Spell a text without case, needless spaces and the two ways Unicode writes an ó."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _mailbox(text: str) -> str:
    """Spell an e-mail address by what stands before its @."""
    return _exact(text.partition("@")[0]) if text.count("@") == 1 else ""


def _words(text: str) -> str:
    """Spell a name by its words in any order: „Nowak, Anna” is anna_nowak and Anna Nowak."""
    words = re.findall(r"[^\W_]+", _exact(text))
    return " ".join(sorted(words)) if len(words) > 1 and "@" not in text else ""


def _participant(text: str) -> str:
    """Spell Moodle's Identifier, „Participant 123” or „Uczestnik 123”, by its number."""
    found = re.fullmatch(r"[^\W\d_]+ ?(\d+)", text.strip())
    return found[1] if found else ""


def _downloaded(text: str) -> str:
    """Spell likewise a folder of Moodle's „Download all submissions”: „Anna Nowak_123_assignsubmission_file”."""
    found = re.search(r"_(\d+)_assignsubmission_", text)
    return found[1] if found else ""


# Strictest first. A bare number is like a participant's only where that column was asked for: other numbers resemble it.
LIKENESSES: tuple[Likeness, ...] = (
    (_exact, _exact),
    (_mailbox, _exact),
    (_words, _words),
    (_participant, _downloaded),
)
