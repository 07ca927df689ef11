"""Compares what a submission of the corpus got with what its row says, check by check."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from autograder.engine.audit.corpus import Row, Sample
from autograder.engine.report import CellReport, Check, Outcome, Report


class Verdict(StrEnum):
    """What a check's result is against the row."""

    AGREES = "agrees"
    OPEN = "open"
    """More data may decide it."""
    PERSON = "person"
    """It is left to a person, and no more data help; of a wrong submission that is no false pass."""
    FALSE_FAIL = "false_fail"
    FALSE_PASS = "false_pass"  # noqa: S105 - no password
    UNNAMED = "unnamed"
    """It fails as it should, but the message does not name the mistake."""


FAULTS = frozenset({Verdict.FALSE_FAIL, Verdict.FALSE_PASS, Verdict.UNNAMED})


class CheckAudit(msgspec.Struct, frozen=True):
    """One check of one submission: whether it should pass, whether it did, and what that is."""

    cell: str
    check: str
    expected: bool
    passed: bool | None
    verdict: Verdict
    message: str


class SampleAudit(msgspec.Struct, frozen=True):
    """One submission: its checks, or the reason why it was not graded, or why its row does not fit the graders."""

    name: str
    summary: str
    checks: tuple[CheckAudit, ...] = ()
    reason: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether some check should fail."""
        return any(not check.expected for check in self.checks)

    @property
    def has_faults(self) -> bool:
        """Whether the grader and the row disagree."""
        return any(is_fault(check) for check in self.checks)


def is_fault(check: CheckAudit) -> bool:
    """Whether a check says otherwise than the row; right work that is left to a person is one, too."""
    return check.verdict in FAULTS or (check.verdict is Verdict.PERSON and check.expected)


def compare(sample: Sample, report: Report) -> SampleAudit:
    """Compare a report in English with the row of its submission."""
    cells = {cell.id: cell for cell in report.cells}
    reason = _unfit(sample.row, cells) if report.status is not Outcome.UNGRADED else report.reason or "not graded"
    if reason is not None:
        return SampleAudit(sample.name, sample.row.summary, reason=reason)
    checks = tuple(audit for cell in sample.row.cells for audit in _compared(sample.row, cells[cell]))
    return SampleAudit(sample.name, sample.row.summary, checks)


def _unfit(row: Row, cells: dict[str, CellReport]) -> str | None:
    for cell, checks in row.loses.items():
        names = [check.name for check in cells[cell].checks]
        if unknown := [name for name in checks if name not in names]:
            return f"The row names the check {unknown[0]!r}, but {cell} has: {'; '.join(names)}."
    return None


def _compared(row: Row, cell: CellReport) -> Iterator[CheckAudit]:
    lost = row.loses.get(cell.id, {})
    for check in cell.checks:
        verdict = _verdict(check, lost.get(check.name))
        yield CheckAudit(cell.id, check.name, check.name not in lost, check.passed, verdict, check.message)


def _verdict(check: Check, said: str | None) -> Verdict:
    """Return what a check's result is; `said` is a part of the message with which it must fail, None where it must pass."""
    if check.passed is None:
        return Verdict.OPEN if check.more_data else Verdict.PERSON
    if said is None:
        return Verdict.AGREES if check.passed else Verdict.FALSE_FAIL
    if check.passed:
        return Verdict.FALSE_PASS
    return Verdict.AGREES if said in check.message else Verdict.UNNAMED
