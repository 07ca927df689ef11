"""What is exported of a submission: one grade, from its report and what a person added."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.engine.errors import SplotError
from autograder.engine.lms.sheet import Sheet, number
from autograder.engine.notebook import find_reports
from autograder.engine.pages import points
from autograder.engine.report import CellReport, Kind, Outcome, Report, read_report
from autograder.engine.text import as_meant, say

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


class Bonus(StrEnum):
    """What becomes of bonus points."""

    CAP = "cap"
    ADD = "add"
    SEPARATE = "separate"


@dataclass(frozen=True)
class Grade:
    """One student's grade. `score` is None where nothing was judged, and `reason` then says why.

    `max_score` is what all cells together are worth without the bonus. `open` names the cells that wait for a person,
    `cells` holds every cell's score, `ignored` what a person wrote that does not count. `aliases` are other names of
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


def read_grades(folder: Path, assignment: str, marked: Path | None = None) -> list[Grade]:
    """Read the grades of `graded/`, by student, with the marks of a table beside them.

    Raises `SplotError` where there are no reports, or a mark has no student.
    """
    reports = [_read(path) for path in find_reports(folder, assignment)]
    marks = {} if marked is None else read_marks(marked, {cell.id for report in reports for cell in report.cells})
    if strangers := sorted(set(marks) - {report.student for report in reports}):
        raise SplotError(f"{marked} has marks for {', '.join(strangers)}, who have no report in {folder}.")
    return [grade_of(report, marks.get(report.student, {})) for report in reports]


def _read(path: Path) -> Report:
    try:
        return read_report(path)
    except (OSError, msgspec.DecodeError) as error:
        raise SplotError(f"{path} cannot be read as a report ({error}); grade this submission again.") from error


def grade_of(report: Report, marks: Mapping[str, float]) -> Grade:
    """Return a report's grade with a person's marks in the cells it left open; raises `SplotError` on a mark too high.

    A mark for a cell that the grader decided does not count: it may be older than the report.
    """
    if report.status is Outcome.UNGRADED:
        return Grade(report.student, None, 0.0, reason=report.reason or "", open=report.needs_manual)
    cells = tuple(_marked(report.student, cell, marks) for cell in report.cells)
    ours = [cell for cell in cells if cell.kind is not Kind.BONUS]
    return Grade(
        student=report.student,
        score=_sum(ours),
        max_score=round(sum(cell.points for cell in ours), 4),
        bonus=_sum([cell for cell in cells if cell.kind is Kind.BONUS]),
        open=tuple(cell.id for cell in cells if cell.score is None),
        comment=_comment(cells),
        cells=tuple((cell.id, cell.score) for cell in cells),
        ignored=tuple(_ignored(cell, marks) for cell in report.cells if _differs(cell, marks)),
    )


def _marked(student: str, cell: CellReport, marks: Mapping[str, float]) -> CellReport:
    if cell.score is not None or cell.id not in marks:
        return cell
    mark = marks[cell.id]
    if not 0 <= mark <= cell.points:
        raise SplotError(f"{student} has {mark:g} for {cell.id}, which is worth 0 to {cell.points:g}; mend the mark.")
    return msgspec.structs.replace(cell, score=mark)


def _differs(cell: CellReport, marks: Mapping[str, float]) -> bool:
    return cell.score is not None and cell.id in marks and abs(marks[cell.id] - cell.score) > 0.006


def _ignored(cell: CellReport, marks: Mapping[str, float]) -> str:
    return f"the mark {marks[cell.id]:g} for {cell.id} does not count: the grader decided {cell.score:g}"


def _sum(cells: list[CellReport]) -> float:
    return round(sum(cell.score or 0.0 for cell in cells), 4)


def _comment(cells: tuple[CellReport, ...]) -> str:
    """Return one line for the student: each cell's points, in the language in force."""
    waiting = say(pl="oceni osoba prowadząca", en="for a person to grade")
    return "; ".join(
        f"{cell.title}: {waiting if cell.score is None else points(cell.score)} / {points(cell.points)}"
        for cell in cells
    )
