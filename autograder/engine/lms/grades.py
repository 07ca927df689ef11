"""The grade that is exported for a submission: its report's score with a person's marks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.engine.errors import SplotError
from autograder.engine.lms.sheet import Sheet, number, read_file
from autograder.engine.report import CellReport, Kind, Outcome, Report
from autograder.engine.text import points, say, unescape_formula

STUDENT = "student"


class Bonus(StrEnum):
    """How bonus points enter the exported grade."""

    CAP = "cap"
    ADD = "add"
    SEPARATE = "separate"


@dataclass(frozen=True)
class StudentGrade:
    """One student's grade. `score` is None where nothing was judged, and `reason` then says why.

    `max_score` is what all cells together are worth without the bonus. `open` names the cells that wait for a person,
    `cells` holds every cell's score, `ignored` the marks that do not count. `aliases` are other names of
    the student: an e-mail address, an LMS's own id.
    """

    student: str
    score: float | None
    max_score: float
    bonus: float = 0.0
    open: tuple[str, ...] = ()
    reason: str = ""
    comment: str = ""
    cells: tuple[tuple[str, float | None], ...] = ()
    ignored: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def total(self, bonus: Bonus) -> float | None:
        """Return the score with its bonus: added, added up to `max_score` and no further, or left out."""
        if self.score is None or bonus is Bonus.SEPARATE:
            return self.score
        total = self.score + self.bonus
        return total if bonus is Bonus.ADD else min(total, self.max_score)


def read_grades(reports: Sequence[Report], marked: Path | None = None) -> list[StudentGrade]:
    """Return the grades of reports, with the marks of a table; raises `SplotError` where a mark has no student."""
    marks = {} if marked is None else read_marks(marked, {cell.id for report in reports for cell in report.cells})
    if unknown := sorted(marks.keys() - {report.student for report in reports}):
        raise SplotError(f"{marked} has marks for {', '.join(unknown)}, who have no report.")
    return [grade_of(report, marks.get(report.student, {})) for report in reports]


def read_marks(path: Path, cells: Collection[str]) -> dict[str, dict[str, float]]:
    """Read the columns `student` and `cells` of a table; empty fields are no marks, other columns do not count.

    Returns points by student and cell id. Raises `SplotError` on what is no number, on a student twice, on a file
    without `student`.
    """
    sheet = Sheet.parse(read_file(path), str(path))
    if STUDENT not in sheet.header:
        raise SplotError(f"{path} has no column {STUDENT!r}; `splot export csv` writes such a table.")
    marks: dict[str, dict[str, float]] = {}
    for row in range(1, len(sheet.rows)):
        given = {}
        for column, cell in enumerate(sheet.header):
            text = sheet.text((row, column)).strip()
            if cell in cells and text:
                value = number(text)
                if value is None:
                    raise SplotError(f"{path}, row {row + 1} has {text!r} for {cell}; write a number of points.")
                given[cell] = value
        student = unescape_formula(sheet.text((row, sheet.header.index(STUDENT))).strip())
        if given and student in marks:
            raise SplotError(f"{path} has {student} twice; leave one row.")
        if given:
            marks[student] = given
    return marks


def grade_of(report: Report, marks: Mapping[str, float]) -> StudentGrade:
    """Return a report's grade with a person's marks in the cells it left open; raises `SplotError` on a mark too high.

    A mark for a cell that the grader decided does not count: it may be older than the report.
    """
    if report.status is Outcome.UNGRADED:
        return StudentGrade(report.student, None, 0.0, reason=report.reason or "", open=report.needs_manual)
    cells = [_with_mark(report.student, cell, marks.get(cell.id)) for cell in report.cells]
    bonus = [cell for cell in cells if cell.kind is Kind.BONUS]
    ordinary = [cell for cell in cells if cell.kind is not Kind.BONUS]
    waiting = say(pl="oceni osoba prowadząca", en="for a person to grade")
    return StudentGrade(
        student=report.student,
        score=round(sum(cell.score or 0.0 for cell in ordinary), 4),
        max_score=round(sum(cell.points for cell in ordinary), 4),
        bonus=round(sum(cell.score or 0.0 for cell in bonus), 4),
        open=tuple(cell.id for cell in cells if cell.score is None),
        comment="; ".join(
            f"{cell.title}: {waiting if cell.score is None else points(cell.score)} / {points(cell.points)}"
            for cell in cells
        ),
        cells=tuple((cell.id, cell.score) for cell in cells),
        ignored=tuple(
            f"the mark {marks[cell.id]:g} for {cell.id} does not count: the grader decided {cell.score:g}"
            for cell in report.cells
            if cell.score is not None and cell.id in marks and abs(marks[cell.id] - cell.score) > 0.006
        ),
    )


def _with_mark(student: str, cell: CellReport, mark: float | None) -> CellReport:
    if cell.score is not None or mark is None:
        return cell
    if not 0 <= mark <= cell.points:
        raise SplotError(f"{student} has {mark:g} for {cell.id}, which is worth 0 to {cell.points:g}; mend the mark.")
    return msgspec.structs.replace(cell, score=mark)
