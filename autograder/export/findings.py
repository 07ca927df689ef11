"""What an instructor should know of an export: who got no grade and why, and what else is to be looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from autograder.export.grades import Grade
from autograder.export.matching import Matches, Roster


class Matter(StrEnum):
    """What is to be said of a student or a row. The first five kept a grade out of the file."""

    UNMATCHED = "not in the file"
    DOUBLED = "fits several"
    UNGRADED = "not graded"
    OPEN = "waits for a person (--marks or --partial)"
    ABOVE = "above the file's maximum"
    KEPT = "kept what stood there"
    CHANGED = "changed"
    IGNORED = "mark ignored"
    MAXIMUM = "another maximum"
    MALFORMED = "row left as it was"
    ABSENT = "no submission"


LOST = frozenset({Matter.UNMATCHED, Matter.DOUBLED, Matter.UNGRADED, Matter.OPEN, Matter.ABOVE})


@dataclass(frozen=True)
class Finding:
    """One thing that an instructor should know of one student, row or file."""

    matter: Matter
    who: str
    detail: str = ""


def lost(grade: Grade, rows: tuple[int, ...], roster: Roster, matches: Matches) -> Finding:
    """Return why a grade has no row: none is like the student, or several are, or others claim it too."""
    if not rows:
        return Finding(Matter.UNMATCHED, grade.student, f"no {matches.by!r} of the file fits")
    others = "" if len(rows) > 1 else ", which fits another submission too"
    return Finding(Matter.DOUBLED, grade.student, ", ".join(map(roster.name, rows)) + others)


def maximum(grades: Sequence[Grade], theirs: float | None) -> Iterator[Finding]:
    """Say where the file counts in other points than ours."""
    ours = max((grade.max_score for grade in grades), default=0.0)
    if ours and theirs is not None and abs(theirs - ours) > 1e-6:
        yield Finding(Matter.MAXIMUM, "the file", f"{theirs:g} points, ours {ours:g}; --scale converts")


def unclaimed(roster: Roster, matches: Matches) -> Iterator[Finding]:
    """Say which students of the file have no submission, and which rows do not have the header's columns."""
    taken, sheet = matches.taken, roster.sheet
    for row in roster.rows:
        if not taken[row]:
            yield Finding(Matter.ABSENT, roster.name(row))
    for row, cells in enumerate(sheet.rows):
        if len(cells) != len(sheet.rows[0]) and not sheet.blank(row):
            yield Finding(Matter.MALFORMED, roster.name(row), f"{len(cells)} cells under {len(sheet.rows[0])} headers")
