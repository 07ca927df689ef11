"""The feedback page of one submission: what a student reads, in one file."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from autograder.engine.errors import SplotError, SubmissionError
from autograder.engine.evidence import findings_or_none
from autograder.engine.files import write_whole
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, read_submission
from autograder.engine.pages.page import render
from autograder.engine.report import CellReport, Check, Kind, Outcome, Report, Status, read_report
from autograder.engine.text import Lang, speaking


@dataclass(frozen=True)
class Mark:
    """A person's grade of one cell; `score` is None where there is only a comment."""

    score: float | None
    max_score: float
    comment: str = ""


@dataclass(frozen=True)
class Finding:
    """What is said of a cell once, and the checks that say it."""

    message: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Row:
    """One graded cell as it stands: a person's points before the grader's."""

    cell: CellReport
    comment: str
    score: float | None
    points: float
    status: Status

    @property
    def bonus(self) -> bool:
        """Whether it counts beside the total."""
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
    def passed(self) -> tuple[Check, ...]:
        """The checks that passed."""
        return tuple(check for check in self.cell.checks if check.passed)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What did not pass, each message once."""
        said: dict[str, list[Check]] = {}
        for check in self.cell.checks:
            if not check.passed:
                said.setdefault(check.message, []).append(check)
        return tuple(Finding(message, tuple(checks)) for message, checks in said.items())


@dataclass(frozen=True)
class Sum:
    """Points earned of points decided, and points still open."""

    score: float
    decided: float
    open: float


def rows(report: Report, marks: Mapping[str, Mark]) -> tuple[Row, ...]:
    """Return the report's cells with the marks in them."""
    return tuple(_row(cell, marks.get(cell.id)) for cell in report.cells)


def _row(cell: CellReport, mark: Mark | None) -> Row:
    if mark is None or mark.score is None:
        return Row(cell, mark.comment if mark else "", cell.score, cell.points, cell.status)
    worth = cell.points or mark.max_score
    whole = Status.PASSED if mark.score >= worth else Status.PARTIAL if mark.score > 0 else Status.FAILED
    return Row(cell, mark.comment, mark.score, worth, whole)


def total(rows: Iterable[Row], *, bonus: bool = False) -> Sum:
    """Add up the ordinary cells, or the bonus ones."""
    counted = [row for row in rows if row.bonus is bonus]
    return Sum(
        round(sum(row.score or 0.0 for row in counted), 4),
        sum(row.points for row in counted if row.score is not None),
        sum(row.points for row in counted if row.score is None),
    )


def after_lateness(ordinary: Sum, bonus: Sum, penalty: float) -> tuple[Sum, Sum]:
    """Take a penalty off the points, and what is left of it off the bonus: a course may take both away."""
    off = min(penalty, ordinary.score)
    left = max(0.0, bonus.score - (penalty - off))
    return replace(ordinary, score=round(ordinary.score - off, 4)), replace(bonus, score=round(left, 4))


@dataclass(frozen=True)
class Place:
    """Where in the notebook to look: a heading, and the cell to work in where there is one."""

    heading: str
    solution: str


def place(assignment: Assignment, cell: str) -> Place:
    """Find a graded cell's heading and solution cell in the instructor's notebook."""
    heading = ""
    for template in assignment.cells:
        if template.grade_id == cell:
            break
        if template.kind == "markdown":
            titles = [line for line in template.source.splitlines() if line.startswith("#")]
            heading = titles[-1].lstrip("# ") if titles else heading
    solution = cell.removesuffix("_tests")
    return Place(heading, solution if solution in assignment.by_grade_id else "")


FILE = "feedback.html"
NO_MARKS: Mapping[str, Mark] = MappingProxyType({})


def write_feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Mapping[str, Mark] = NO_MARKS, *, penalty: float = 0.0
) -> Path:
    """Write `feedback.html` into a folder graded/<student>/<assignment>/ and return its path.

    `marks` are a person's grades and comments by cell id; `penalty` is what was taken off for lateness, in points.
    Raises `SplotError` where there is no report, or the page cannot be written.
    """
    return write_whole(folder / FILE, feedback(folder, assignment, lang, marks, penalty=penalty).encode())


def leave_feedback(folder: Path, assignment: Assignment, lang: Lang) -> None:
    """Write the page where that can be done; a fault of ours in it never costs the grade, and no older page stays."""
    try:
        write_feedback(folder, assignment, lang)
    except Exception:  # noqa: BLE001 - see above
        with contextlib.suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)


def feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Mapping[str, Mark] = NO_MARKS, *, penalty: float = 0.0
) -> str:
    """Return the page; see `write_feedback`. It shows less where the judge left no findings."""
    report, lesson = _report(folder), find_lesson(assignment.lesson)
    # What an ungraded report leaves lying about belongs to an earlier run.
    ungraded = report.status is Outcome.UNGRADED
    findings = lesson.findings() if ungraded else findings_or_none(folder / "evidence", lesson.findings)
    with speaking(lang):
        judged = rows(report, marks)
        ordinary, bonus = after_lateness(total(judged), total(judged, bonus=True), penalty)
        return render(
            "feedback.html",
            lang,
            lesson,
            report=report,
            findings=findings,
            tasks=_by_task(judged),
            total=ordinary,
            bonus=bonus,
            penalty=penalty,
            reason=_own_fault(report, assignment, lang),
            places={row.cell.id: place(assignment, row.cell.id) for row in judged},
            expectations={item.grade_id: item.expectation for item in assignment.items},
            **lesson.page(findings),
        )


def _report(folder: Path) -> Report:
    try:
        return read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise SplotError(f"{folder / 'report.json'} cannot be read ({error}); grade the submission first.") from error


def _by_task(judged: tuple[Row, ...]) -> dict[str, list[Row]]:
    tasks: dict[str, list[Row]] = {}
    for row in judged:
        tasks.setdefault(row.task, []).append(row)
    return tasks


def _own_fault(report: Report, assignment: Assignment, lang: Lang) -> str:
    """Say why what was handed in cannot be graded; what the grader itself broke is not the student's to read.

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
    with speaking(lang):
        try:
            read_submission(path, assignment)
        except SubmissionError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - a fault of ours: the report's reason says so to the instructor
            return ""
    return ""
