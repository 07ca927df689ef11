"""The feedback page of one submission, which the student reads: one HTML file."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.errors import SubmissionError
from autograder.engine.files import write_whole
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, read_submission
from autograder.engine.pages.page import render
from autograder.engine.pages.results import by_message, findings_of, read_result
from autograder.engine.report import FEEDBACK_FILE, CellReport, Check, Kind, Outcome, Report, Status
from autograder.engine.text import Lang, in_language


@dataclass(frozen=True)
class Mark:
    """A person's grade of one cell; `score` is None where there is only a comment."""

    score: float | None
    max_score: float
    comment: str = ""


Marks = Mapping[str, Mark]
"""By cell id."""


@dataclass(frozen=True)
class Row:
    """One graded cell on the page, with a person's points if there are any, else the grader's."""

    cell: CellReport
    comment: str
    score: float | None
    points: float
    status: Status

    @classmethod
    def from_cell(cls, cell: CellReport, mark: Mark | None) -> "Row":
        """Return a cell with a person's mark in it, if there is one."""
        if mark is None or mark.score is None:
            return cls(cell, mark.comment if mark else "", cell.score, cell.points, cell.status)
        points = cell.points or mark.max_score
        status = Status.PASSED if mark.score >= points else Status.PARTIAL if mark.score > 0 else Status.FAILED
        return cls(cell, mark.comment, mark.score, points, status)

    @property
    def bonus(self) -> bool:
        """Whether its points are bonus points."""
        return self.cell.kind is Kind.BONUS

    @property
    def task(self) -> str:
        """The task it belongs to: its title up to the first comma or colon."""
        return self.cell.title.replace(":", ",").partition(",")[0]

    @property
    def part(self) -> str:
        """Its title without the task."""
        rest = self.cell.title[len(self.task) :].lstrip(":, ")
        return rest[:1].upper() + rest[1:] if rest else self.cell.title

    @property
    def share(self) -> float:
        """The fraction of its points that it earned, 0…1."""
        return min(1.0, max(0.0, (self.score or 0.0) / self.points)) if self.points else 0.0

    @property
    def findings(self) -> dict[str, list[Check]]:
        """What did not pass, by message."""
        return by_message(check for check in self.cell.checks if not check.passed)


@dataclass(frozen=True)
class PointsSum:
    """A sum of points: earned, decided, and still open."""

    score: float
    decided: float
    open: float

    @classmethod
    def from_rows(cls, rows: Iterable[Row], *, bonus: bool, penalty: float = 0.0) -> "PointsSum":
        """Add up the ordinary cells, or the bonus ones, less a penalty, but never to less than nothing."""
        counted = [row for row in rows if row.bonus is bonus]
        return cls(
            round(max(0.0, sum(row.score or 0.0 for row in counted) - penalty), 4),
            sum(row.points for row in counted if row.score is not None),
            sum(row.points for row in counted if row.score is None),
        )


def place(assignment: Assignment, cell: str) -> tuple[str, str]:
    """Return the heading above a graded cell in the instructor's notebook, and its solution cell, if there is one."""
    heading = ""
    for template in assignment.cells:
        if template.grade_id == cell:
            break
        if template.kind == "markdown":
            titles = [line for line in template.source.splitlines() if line.startswith("#")]
            heading = titles[-1].lstrip("# ") if titles else heading
    solution = cell.removesuffix("_tests")
    return heading, solution if solution in assignment.by_grade_id else ""


def write_feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Marks | None = None, *, penalty: float = 0.0
) -> Path:
    """Write `feedback.html` into a folder graded/<student>/<assignment>/ and return its path.

    `marks` are a person's grades and comments; `penalty` is what was taken off for lateness, in points.
    Raises `SplotError` where there is no report, or the page cannot be written.
    """
    return write_whole(folder / FEEDBACK_FILE, feedback(folder, assignment, lang, marks, penalty=penalty).encode())


def leave_feedback(folder: Path, assignment: Assignment, lang: Lang) -> None:
    """Write the page; an error in it does not affect the grade, and an older page is deleted."""
    try:
        write_feedback(folder, assignment, lang)
    except Exception:  # noqa: BLE001 - see above
        with contextlib.suppress(OSError):
            (folder / FEEDBACK_FILE).unlink(missing_ok=True)


def feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Marks | None = None, *, penalty: float = 0.0
) -> str:
    """Return the page; see `write_feedback`. It shows less where the judge left no findings."""
    report, lesson = read_result(folder), find_lesson(assignment.lesson)
    findings = findings_of(report, folder, lesson.findings)
    rows = [Row.from_cell(cell, (marks or {}).get(cell.id)) for cell in report.cells]
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    # A penalty is taken off the points, and what is left of it off the bonus: a course may take both away.
    earned = PointsSum.from_rows(rows, bonus=False).score
    with in_language(lang):
        return render(
            "feedback.html",
            lang,
            lesson,
            report=report,
            findings=findings,
            tasks=tasks,
            total=PointsSum.from_rows(rows, bonus=False, penalty=penalty),
            bonus=PointsSum.from_rows(rows, bonus=True, penalty=max(0.0, penalty - earned)),
            penalty=penalty,
            reason=_own_fault(report, assignment, lang),
            places={row.cell.id: place(assignment, row.cell.id) for row in rows},
            expectations={item.grade_id: item.expectation for item in assignment.items},
            **lesson.page(findings),
        )


def _own_fault(report: Report, assignment: Assignment, lang: Lang) -> str:
    """Return why the submission is rejected; empty if it is not, or if the grader itself failed.

    The report's reason may be either; it is the student's where reading the submission again gives the same.
    """
    if report.status is not Outcome.UNGRADED:
        return ""
    path = Path(report.submission)
    refusals = {each: _refusal(path, assignment, each) for each in Lang}
    if report.reason not in refusals.values():
        return ""
    return refusals[lang].replace(str(path), path.name).replace(str(path.parent), path.parent.name)


def _refusal(path: Path, assignment: Assignment, lang: Lang) -> str:
    """Return why a submission is refused; nothing where it is not."""
    with in_language(lang):
        try:
            read_submission(path, assignment)
        except SubmissionError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - a fault of ours: the report's reason says so to the instructor
            return ""
    return ""
