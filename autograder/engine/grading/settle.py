"""Settles what a report left open by the report of a run on more data; what was settled before stays as it was."""

import msgspec

from autograder.engine.evidence import Evidence
from autograder.engine.outcomes import is_cut_short
from autograder.engine.report import CellReport, Kind, Report, Status, Timing, totals

STOPPED = frozenset({Status.ERROR, Status.MISSING, Status.TIMEOUT, Status.MEMORY})
"""Statuses of a cell whose checks were not reached."""


def settle(before: Report, after: Report, *, failed_too: bool = False) -> Report:
    """Return the earlier report with its open checks as the later one has them, which may have ended early.

    With `failed_too` those that failed are taken as well: less data made a cell of the student's fail, and that may be why.
    """
    later = {cell.id: cell for cell in after.cells}
    cells = tuple(_settled(cell, later[cell.id], failed_too) for cell in before.cells)
    score, max_score = totals(cells, Kind.AUTO)
    bonus, max_bonus = totals(cells, Kind.BONUS)
    spent = {
        name: round(getattr(before.timing, name) + getattr(after.timing, name), 3) for name in Timing.__struct_fields__
    }
    return msgspec.structs.replace(
        before,
        profile=after.profile,
        cells=cells,
        score=score,
        max_score=max_score,
        bonus=bonus,
        max_bonus=max_bonus,
        needs_manual=tuple(cell.id for cell in cells if cell.score is None),
        notes=tuple(dict.fromkeys((*before.notes, *after.notes))),
        models=before.models | {name: model for name, model in after.models.items() if model.verified},
        flags=(*before.flags, *(flag for flag in after.flags if flag not in before.flags)),
        timing=Timing(**spent),
    )


def _settled(before: CellReport, after: CellReport, failed_too: bool) -> CellReport:
    """Return a cell with the checks that more data may settle taken from the later run."""
    open_checks = {c.name for c in before.checks if c.more_data or (failed_too and c.passed is False)}
    if not open_checks:
        return before
    later = {check.name: check for check in after.checks}
    checks = tuple(later.get(check.name, check) if check.name in open_checks else check for check in before.checks)
    passed = [check.passed for check in checks]
    gained = sum(check.weight for check in checks if check.passed)
    score: float | None = round(before.points * gained / sum(check.weight for check in checks), 4)
    if None in passed:
        status, score = Status.UNDECIDED, None
    elif all(passed):
        status = Status.PASSED
    elif after.status in STOPPED:
        status = after.status
    else:
        status = Status.PARTIAL if any(passed) else Status.FAILED
    return msgspec.structs.replace(before, score=score, status=status, checks=checks, profile=after.profile)


def last_open_cell(report: Report, evidence: Evidence) -> str | None:
    """Return the last cell with a check that more data may settle; None where the whole notebook has to run for it.

    Where less data made a cell of the student's fail, what a check misses may stand anywhere after it: a plot, a number.
    """
    if is_cut_short(evidence):
        return None
    index = {run.grade_id: run.index for run in evidence.file.runs if run.grade_id}
    still_open = [cell.id for cell in report.cells if any(check.more_data for check in cell.checks)]
    return max(still_open, key=lambda cell: index.get(cell, -1), default=None)
