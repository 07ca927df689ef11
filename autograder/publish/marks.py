"""A report's cells with what a person decided about them: the points that stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autograder.notebook.assignment import Assignment
from autograder.report import CellReport, Check, Kind, Report, Status


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
