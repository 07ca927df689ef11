"""Fill one column of an LMS's file with grades: what is certain, and nothing over what a person decided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from autograder.engine.lms.grades import Bonus, Grade
from autograder.engine.lms.matching import Matches, Roster, match
from autograder.engine.lms.sheet import Place, Sheet, number


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


OURS = "Splot: "


@dataclass(frozen=True)
class Rules:
    """What an instructor decides: see `splot export --help`."""

    bonus: Bonus = Bonus.CAP
    partial: bool = False
    keep: bool = False
    scale: bool = False
    match: str | None = None


@dataclass(frozen=True)
class Column:
    """The column that takes the grades.

    Its number, the file's maximum where it says one and whether the LMS takes more than that, the column for comments
    where they are wanted, and the texts that are never replaced.
    """

    number: int
    maximum: float | None
    may_exceed: bool = False
    feedback: int | None = None
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Filled:
    """The filled file, by which column students were found, how many grades stand in it, and what is to be said."""

    content: bytes
    by: str
    placed: int
    findings: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Say whether every grade found its cell."""
        return not any(finding.matter in LOST for finding in self.findings)

    @property
    def matters(self) -> tuple[Matter, ...]:
        """The matters there is something to say of, the gravest first."""
        return tuple(matter for matter in Matter if self.of(matter))

    def of(self, matter: Matter) -> tuple[Finding, ...]:
        """Return what is to be said of one matter."""
        return tuple(finding for finding in self.findings if finding.matter is matter)


def fill(roster: Roster, column: Column, grades: Sequence[Grade], rules: Rules) -> Filled:
    """Fill in what is certain; nothing of the file is dropped, and nobody is left unsaid."""
    matches = match(roster, grades, rules.match)
    pen = _Pen(roster.sheet, column, rules, _writes_commas(roster.sheet, column.number))
    cells: dict[Place, str] = {}
    findings: list[Finding] = []
    placed = 0
    for grade, rows, row in zip(grades, matches.rows, matches.certain, strict=True):
        findings += [Finding(Matter.IGNORED, grade.student, what) for what in grade.ignored]
        hindrance = lost(grade, rows, roster, matches) if row is None else pen.hindrance(grade, row)
        if hindrance is not None:
            findings.append(hindrance)
        elif row is not None:
            placed += 1
            cells |= pen.written(grade, row)
            findings += pen.remarks(grade, row)
    findings += [*(() if rules.scale else maximum(grades, column.maximum)), *unclaimed(roster, matches)]
    return Filled(roster.sheet.filled(cells), matches.by, placed, tuple(findings))


@dataclass(frozen=True)
class _Pen:
    """Writes one grade into one row, as the rules say and as the file itself writes."""

    sheet: Sheet
    column: Column
    rules: Rules
    comma: bool

    def hindrance(self, grade: Grade, row: int) -> Finding | None:
        """Return what speaks against writing this grade."""
        value, old, most = self._value(grade), self._old(row), self.column.maximum
        if value is None:
            return Finding(Matter.UNGRADED, grade.student, grade.reason)
        if grade.open and not self.rules.partial:
            return Finding(Matter.OPEN, grade.student, ", ".join(grade.open))
        if most is not None and value > most and not self.column.may_exceed:
            return Finding(Matter.ABOVE, grade.student, f"{value:g} of {most:g}")
        if old in self.column.fixed or (self.rules.keep and old and number(old) != value):
            return Finding(Matter.KEPT, grade.student, f"{old} instead of {value:g}")
        return None

    def written(self, grade: Grade, row: int) -> dict[Place, str]:
        """Return the cells that change: an equal grade stays as it is written."""
        value, feedback = self._value(grade), self.column.feedback
        cells: dict[Place, str] = {}
        if value is not None and number(self._old(row)) != value:
            text = f"{value:.2f}".rstrip("0").rstrip(".")
            cells[row, self.column.number] = text.replace(".", ",") if self.comma else text
        if feedback is not None and grade.comment and self._ours(row):
            cells[row, feedback] = OURS + escape(grade.comment, quote=False)
        return cells

    def remarks(self, grade: Grade, row: int) -> Iterator[Finding]:
        """Say which grade took another's place, and whose comment stayed."""
        value, old = self._value(grade), self._old(row)
        if old and number(old) != value:
            yield Finding(Matter.CHANGED, grade.student, f"{old} → {value:g}")
        if self.column.feedback is not None and not self._ours(row):
            yield Finding(Matter.KEPT, grade.student, "the comment that stands there")

    def _value(self, grade: Grade) -> float | None:
        """Return the grade in the file's points, with two decimals."""
        total, most = grade.total(self.rules.bonus), self.column.maximum
        if total is not None and self.rules.scale and most is not None and grade.max_score:
            total *= most / grade.max_score
        return None if total is None else round(total, 2)

    def _old(self, row: int) -> str:
        return self.sheet.text((row, self.column.number)).strip()

    def _ours(self, row: int) -> bool:
        """Say whether the comment is missing or of an earlier export: a person's is never replaced."""
        old = self.sheet.text((row, self.column.feedback or 0)).strip()
        return not old or old.startswith(OURS.strip())


def _writes_commas(sheet: Sheet, column: int) -> bool:
    """Say whether the file itself writes decimal commas, in this column or the next (Moodle's maximum stands there)."""
    texts = [sheet.text((row, place)) for row in range(1, len(sheet.rows)) for place in (column, column + 1)]
    return any("," in text and number(text) is not None for text in texts)
