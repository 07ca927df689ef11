"""Fills the grade column of an LMS's file; only certain grades, and never over what a person entered."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from html import escape

from autograder.engine.errors import SplotError
from autograder.engine.lms.grades import Bonus, StudentGrade
from autograder.engine.lms.sheet import Place, Sheet, number

COMMENT_PREFIX = "Splot: "
"""The prefix of comments that Splot writes."""


class IssueKind(StrEnum):
    """What is wrong with a student's grade or a row, most serious first. With the first five no grade was written."""

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


WITHOUT_GRADE = frozenset({IssueKind.UNMATCHED, IssueKind.DOUBLED, IssueKind.UNGRADED, IssueKind.OPEN, IssueKind.ABOVE})


@dataclass(frozen=True)
class Issue:
    """One thing that an instructor should know of one student, row or file."""

    kind: IssueKind
    who: str
    detail: str = ""


@dataclass(frozen=True)
class Rules:
    """The options of an export; `HELP` explains each."""

    column: str | None = None
    match: str | None = None
    bonus: Bonus = Bonus.CAP
    partial: bool = False
    keep: bool = False
    scale: bool = False
    feedback: bool = False


HELP = {
    "column": "column to fill: in Canvas its title or number; in Moodle only if not Grade or Ocena",
    "match": "header of the column that names students; by default the one that finds the most",
    "bonus": "cap: up to full marks; add: above them too; separate: leave it out",
    "partial": "also grades of which a part waits for a person",
    "keep": "leave grades that the file already has",
    "scale": "convert to the file's maximum",
    "feedback": "Moodle: points by task as a comment, where there is none",
}
"""What each of the rules means, for `splot export` and `nbgrader export`."""


@dataclass(frozen=True)
class GradeFile:
    """A downloaded file: its student rows, the columns that may identify students, and the grade column.

    Several columns together may form a name. `maximum` is the file's own maximum, if any; `may_exceed`: whether the
    LMS accepts more. `comments` is the comment column if comments are written; texts in `fixed` are never replaced.
    """

    sheet: Sheet
    rows: Sequence[int]
    names: Sequence[tuple[int, ...]]
    column: int
    maximum: float | None
    may_exceed: bool = False
    comments: int | None = None
    fixed: frozenset[str] = frozenset()

    def title(self, columns: tuple[int, ...]) -> str:
        """Return the header of a column, or of several."""
        return " ".join(self.sheet.header[column] for column in columns)

    def text(self, row: int, columns: tuple[int, ...]) -> str:
        """Return the text of these columns in a row, by which a student is matched."""
        return " ".join(self.sheet.text((row, column)) for column in columns)

    def name(self, row: int) -> str:
        """Return a row's description for messages: its line number and first columns."""
        names = (self.text(row, columns).strip() for columns in self.names[:2])
        return f"row {row + 1} ({', '.join(name for name in names if name)})"

    @cached_property
    def writes_commas(self) -> bool:
        """Whether the grade column or the next (Moodle's maximum) uses decimal commas."""
        rows = range(1, len(self.sheet.rows))
        texts = (self.sheet.text((row, column)) for row in rows for column in (self.column, self.column + 1))
        return any("," in text and number(text) is not None for text in texts)


@dataclass(frozen=True)
class Filled:
    """The result of an export: the file's bytes, the matching column, the number of grades written, the issues."""

    content: bytes
    by: str
    placed: int
    issues: tuple[Issue, ...]

    @property
    def complete(self) -> bool:
        """Whether every grade was written."""
        return not any(issue.kind in WITHOUT_GRADE for issue in self.issues)

    @property
    def by_kind(self) -> dict[IssueKind, list[Issue]]:
        """The issues grouped by kind, most serious first."""
        found = {kind: [issue for issue in self.issues if issue.kind is kind] for kind in IssueKind}
        return {kind: issues for kind, issues in found.items() if issues}


def fill(file: GradeFile, grades: Sequence[StudentGrade], rules: Rules) -> Filled:
    """Fill in the certain grades; nothing in the file is dropped, and every student not written is reported."""
    by, matches = _match(file, grades, rules.match)
    taken = Counter(row for rows in matches for row in rows)
    cells: dict[Place, str] = {}
    issues: list[Issue] = []
    placed = 0
    for grade, rows in zip(grades, matches, strict=True):
        issues += [Issue(IssueKind.IGNORED, grade.student, what) for what in grade.ignored]
        certain = len(rows) == 1 and taken[rows[0]] == 1
        hindrance = _obstacle(file, rules, grade, rows[0]) if certain else _without_row(file, grade, rows, by)
        if hindrance is not None:
            issues.append(hindrance)
        else:
            placed += 1
            changed, notes = _entered(file, rules, grade, rows[0])
            cells |= changed
            issues += notes
    ours, theirs = max((grade.max_score for grade in grades), default=0.0), file.maximum
    if not rules.scale and ours and theirs is not None and abs(theirs - ours) > 1e-6:
        issues.append(Issue(IssueKind.MAXIMUM, "the file", f"{theirs:g} points, ours {ours:g}; --scale converts"))
    issues += [Issue(IssueKind.ABSENT, file.name(row)) for row in file.rows if not taken[row]]
    width = len(file.sheet.rows[0])
    for row, fields in enumerate(file.sheet.rows):
        if len(fields) != width and not file.sheet.blank(row):
            issues.append(Issue(IssueKind.MALFORMED, file.name(row), f"{len(fields)} cells under {width} headers"))
    return Filled(file.sheet.filled(cells), by, placed, tuple(issues))


def _without_row(file: GradeFile, grade: StudentGrade, rows: Sequence[int], by: str) -> Issue:
    """Return the issue of a grade without a row: none matches, several do, or another student matches it too."""
    if not rows:
        return Issue(IssueKind.UNMATCHED, grade.student, f"no {by!r} of the file fits")
    others = "" if len(rows) > 1 else ", which fits another submission too"
    return Issue(IssueKind.DOUBLED, grade.student, ", ".join(map(file.name, rows)) + others)


def _obstacle(file: GradeFile, rules: Rules, grade: StudentGrade, row: int) -> Issue | None:
    """Return the issue that prevents writing a grade into its row, or None."""
    value, old, most = _value(file, rules, grade), file.text(row, (file.column,)).strip(), file.maximum
    if value is None:
        return Issue(IssueKind.UNGRADED, grade.student, grade.reason)
    if grade.open and not rules.partial:
        return Issue(IssueKind.OPEN, grade.student, ", ".join(grade.open))
    if most is not None and value > most and not file.may_exceed:
        return Issue(IssueKind.ABOVE, grade.student, f"{value:g} of {most:g}")
    if old in file.fixed or (rules.keep and old and number(old) != value):
        return Issue(IssueKind.KEPT, grade.student, f"{old} instead of {value:g}")
    return None


def _entered(file: GradeFile, rules: Rules, grade: StudentGrade, row: int) -> tuple[dict[Place, str], list[Issue]]:
    """Return the cells to change for a grade, and issues; an equal number and a person's comment are kept."""
    value, old = _value(file, rules, grade), file.text(row, (file.column,)).strip()
    cells: dict[Place, str] = {}
    issues = []
    if value is not None and number(old) != value:
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        cells[row, file.column] = text.replace(".", ",") if file.writes_commas else text
        issues += [Issue(IssueKind.CHANGED, grade.student, f"{old} → {value:g}")] if old else []
    if file.comments is not None:
        comment = file.text(row, (file.comments,)).strip()
        if comment and not comment.startswith(COMMENT_PREFIX.strip()):
            issues.append(Issue(IssueKind.KEPT, grade.student, "the comment that stands there"))
        elif grade.comment:
            cells[row, file.comments] = COMMENT_PREFIX + escape(grade.comment, quote=False)
    return cells, issues


def _value(file: GradeFile, rules: Rules, grade: StudentGrade) -> float | None:
    """Return a grade in the file's points, with two decimals."""
    total = grade.total(rules.bonus)
    if total is not None and rules.scale and file.maximum is not None and grade.max_score:
        total *= file.maximum / grade.max_score
    return None if total is None else round(total, 2)


MatchKey = Callable[[str], str]
"""Converts a text to the key by which it is compared; an empty key matches nothing."""


def _match(file: GradeFile, grades: Sequence[StudentGrade], by: str | None) -> tuple[str, list[tuple[int, ...]]]:
    """Find each grade's rows by the column headed `by`, or else by the column that matches the most students.

    Returns that column's header and, per grade, its rows: exactly one if the match is unique.
    """
    if by is None:
        found = [(file.title(columns), _rows_by(file, grades, columns, KEYS)) for columns in file.names]
        return max(found, key=lambda match: _settled(match[1]))
    for columns in file.names:
        if _exact(file.title(columns)) == _exact(by):
            return file.title(columns), _rows_by(file, grades, columns, (*KEYS, (_participant, _exact)))
    titles = ", ".join(map(file.title, file.names))
    raise SplotError(f"The file has no column {by!r} to match by; it has {titles}.")


def _settled(matches: list[tuple[int, ...]]) -> tuple[int, int]:
    """Return how many grades match a row uniquely, and how many rows match at all."""
    taken = Counter(row for rows in matches for row in rows)
    return sum(len(rows) == 1 and taken[rows[0]] == 1 for rows in matches), taken.total()


def _rows_by(
    file: GradeFile, grades: Sequence[StudentGrade], columns: tuple[int, ...], keys: Sequence[tuple[MatchKey, MatchKey]]
) -> list[tuple[int, ...]]:
    """Return for each grade the rows that match one of its names by the strictest key that matches any."""
    indices: list[tuple[dict[str, tuple[int, ...]], MatchKey]] = []
    for of_row, of_student in keys:
        index: dict[str, tuple[int, ...]] = {}
        for row in file.rows:
            key = of_row(file.text(row, columns))
            index[key] = (*index.get(key, ()), row)
        indices.append((index, of_student))
    found = []
    for grade in grades:
        names = (grade.student, *grade.aliases)
        keyed = ((index, of_student(name)) for name in names for index, of_student in indices)
        found.append(next((index[key] for index, key in keyed if key and key in index), ()))
    return found


def _exact(text: str) -> str:
    """Return a text in lower case, with single spaces and in Unicode normal form."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _mailbox(text: str) -> str:
    """Return what stands before the @ of an e-mail address."""
    return _exact(text.partition("@")[0]) if text.count("@") == 1 else ""


def _words(text: str) -> str:
    """Return the words of a name in any order: „Nowak, Anna” is anna_nowak and Anna Nowak."""
    words = re.findall(r"[^\W_]+", _exact(text))
    return " ".join(sorted(words)) if len(words) > 1 and "@" not in text else ""


def _participant(text: str) -> str:
    """Return the number in Moodle's Identifier, „Participant 123” or „Uczestnik 123”."""
    found = re.fullmatch(r"[^\W\d_]+ ?(\d+)", text.strip())
    return found[1] if found else ""


def _downloaded(text: str) -> str:
    """Return that number from a folder name of Moodle's download, „Anna Nowak_123_assignsubmission_file”."""
    found = re.search(r"_(\d+)_assignsubmission_", text)
    return found[1] if found else ""


# The keys of a row's text and of a student's name, the strictest first. A bare number is like a participant's only where
# that column was asked for: other numbers resemble it.
KEYS = ((_exact, _exact), (_mailbox, _exact), (_words, _words), (_participant, _downloaded))
