"""Reads a submission's results for the pages: its report, its findings, its checks grouped by message."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from autograder.engine.errors import SplotError
from autograder.engine.evidence import Findings, findings_or_none
from autograder.engine.notebook import find_reports
from autograder.engine.report import Check, Outcome, Report, read_report

AnyFindings = TypeVar("AnyFindings", bound=Findings)


def read_result(folder: Path) -> Report:
    """Read the report in graded/<student>/<assignment>/; raises `SplotError` where it cannot be read."""
    try:
        return read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise SplotError(f"{folder / 'report.json'} cannot be read ({error}); grade this submission again.") from error


def read_reports(graded: Path, assignment: str) -> list[Report]:
    """Read every report below `graded/`, by student; raises `SplotError` where there is none, or one cannot be read."""
    return [read_result(path.parent) for path in find_reports(graded, assignment)]


def findings_of(report: Report, folder: Path, kind: type[AnyFindings]) -> AnyFindings:
    """Read the findings beside a report; empty ones where the judge left none that can be read.

    What lies beside the report of an ungraded submission belongs to an earlier run, and is not read.
    """
    return kind() if report.status is Outcome.UNGRADED else findings_or_none(folder / "evidence", kind)


def by_message(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Group checks by message, in order; passed checks have the empty message."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault("" if check.passed else check.message, []).append(check)
    return groups
