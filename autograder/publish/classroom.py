"""A class as its reports tell it: who is where, and which checks fail for how many."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from autograder.errors import EvidenceError
from autograder.evidence.records import History
from autograder.measuring.findings import Findings, read_findings
from autograder.notebook.paths import find_reports
from autograder.report import CellReport, Kind, Outcome, Report, Status, read_report

COMMONEST = 3
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class Work:
    """One submission of the class; `report` is None, and `reason` says why, where it cannot be read."""

    student: str
    folder: Path
    report: Report | None
    findings: Findings
    reason: str = ""

    @property
    def graded(self) -> bool:
        """Whether it has points."""
        return self.report is not None and self.report.status is Outcome.GRADED

    @property
    def share(self) -> float | None:
        """What it earned of what the grader decided, 0…1."""
        report = self.report
        if report is None or not self.graded or not report.max_score:
            return None
        return (report.score or 0.0) / report.max_score

    @property
    def seconds(self) -> float:
        """The wall time that grading it took."""
        return self.report.timing.notebook_s + self.report.timing.ours_s if self.report else 0.0

    @property
    def waiting(self) -> tuple[CellReport, ...]:
        """The cells that could not be decided; written answers, which everybody has, are not among them."""
        return self.report.undecided if self.report else ()

    @property
    def histories(self) -> dict[str, History]:
        """The learning curves by model."""
        return {model.name: model.history for model in self.findings.models if model.history}


@dataclass(frozen=True)
class Said:
    """A message, and how many submissions got it, whatever the numbers in it."""

    message: str
    count: int


@dataclass(frozen=True)
class CheckShare:
    """How one check went in the class; `decided` counts the submissions in which it passed or failed."""

    name: str
    decided: int
    failed: int
    undecided: int

    @property
    def share(self) -> float:
        """The fraction of decided submissions that failed it."""
        return self.failed / self.decided if self.decided else 0.0


@dataclass(frozen=True)
class CellShare:
    """How one graded cell went in the class: its checks, and what was said most often."""

    cell: CellReport
    checks: tuple[CheckShare, ...]
    messages: tuple[Said, ...]

    @property
    def worst(self) -> float:
        """The share of its check that most failed."""
        return max(check.share for check in self.checks)


def read_class(folder: Path, assignment: str) -> list[Work]:
    """Read every report below `graded/`, by student; raises `SplotError` where there is none."""
    return [_read(path.parent) for path in find_reports(folder, assignment)]


def _read(folder: Path) -> Work:
    try:
        report = read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        reason = f"report.json cannot be read ({error}); grade this submission again."
        return Work(folder.parent.name, folder, None, Findings(), reason)
    try:
        findings = read_findings(folder / "evidence") if report.status is Outcome.GRADED else Findings()
    except EvidenceError:  # graded before there were findings
        findings = Findings()
    return Work(report.student, folder, report, findings, report.reason or "")


def cell_shares(works: Sequence[Work]) -> list[CellShare]:
    """Return the graded cells that have checks, those with a check that most failed first."""
    cells: dict[str, list[CellReport]] = {}
    for work in works:
        for cell in work.report.cells if work.report else ():
            cells.setdefault(cell.id, []).append(cell)
    shares = [_cell_share(same) for same in cells.values() if any(cell.checks for cell in same)]
    return sorted(shares, key=lambda share: -share.worst)


def _cell_share(cells: list[CellReport]) -> CellShare:
    outcomes: dict[str, list[bool | None]] = {}
    for cell in cells:
        for check in cell.checks:
            outcomes.setdefault(check.name, []).append(check.passed)
    checks = (
        CheckShare(name, sum(one is not None for one in passed), passed.count(False), passed.count(None))
        for name, passed in outcomes.items()
    )
    return CellShare(cells[0], tuple(checks), _commonest(cells))


def _commonest(cells: list[CellReport]) -> tuple[Said, ...]:
    """Count messages once a submission, and as one where only their numbers differ, shown by the first of them."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for cell in cells:
        said = {NUMBER.sub("#", c.message): c.message for c in cell.checks if not c.passed and c.message}
        counts.update(said.keys())
        first = said | first
    return tuple(Said(first[key], count) for key, count in counts.most_common(COMMONEST))


def median_curve(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return the median over the submissions that have a value, epoch by epoch, while at least half of them go on."""
    epochs = sorted(map(len, curves), reverse=True)[(len(curves) - 1) // 2] if curves else 0
    found: list[float | None] = []
    for epoch in range(epochs):
        values = [value for curve in curves if epoch < len(curve) and (value := curve[epoch]) is not None]
        found.append(median(values) if values else None)
    return found


def written(works: Sequence[Work]) -> int:
    """Count the written answers that wait for a person."""
    cells = [cell for work in works if work.report for cell in work.report.cells]
    return sum(cell.kind is Kind.MANUAL and cell.status is Status.MANUAL for cell in cells)
