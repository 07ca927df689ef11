"""Everything of a class as one CSV table: a row for each check of each cell of each submission."""

import csv
import io
from collections.abc import Iterator, Sequence

from autograder.printable import printable
from autograder.publish.classroom import Work
from autograder.report import CellReport, Check, Report
from autograder.spreadsheet import inert

COLUMNS = (
    *("student", "status", "reason", "score", "max_score", "bonus", "max_bonus", "profile", "dataset"),
    *("notebook_s", "ours_s", "flags", "cell", "title", "kind", "points", "cell_score", "cell_status"),
    *("check", "weight", "passed", "message"),
)

Field = str | float | bool | None


def class_table(works: Sequence[Work]) -> bytes:
    """Return the table: UTF-8 with a byte order mark, commas, decimal points; what is not known is empty."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for work in works:
        for row in _rows(work):
            writer.writerow([_field(value) for value in row])
    return b"\xef\xbb\xbf" + file.getvalue().encode(errors="replace")


def _rows(work: Work) -> Iterator[tuple[Field, ...]]:
    if work.report is None:
        yield _padded(work.student, "unreadable", work.reason)
        return
    head = _head(work.report)
    if not work.report.cells:
        yield _padded(*head)
    for cell in work.report.cells:
        for check in cell.checks or (None,):
            yield (*head, *_cell(cell), *_check(check))


def _head(report: Report) -> tuple[Field, ...]:
    time = report.timing
    points = (report.score, report.max_score, report.bonus, report.max_bonus)
    flags = " ".join(sorted({flag.code for flag in report.flags}))
    about = (report.profile, report.dataset, time.notebook_s, round(time.ours_s, 3), flags)
    return report.student, report.status, report.reason, *points, *about


def _cell(cell: CellReport) -> tuple[Field, ...]:
    return cell.id, cell.title, cell.kind, cell.points, cell.score, cell.status


def _check(check: Check | None) -> tuple[Field, ...]:
    return (check.name, check.weight, check.passed, check.message) if check else (None,) * 4


def _padded(*fields: Field) -> tuple[Field, ...]:
    return (*fields, *[None] * (len(COLUMNS) - len(fields)))


def _field(value: Field) -> str:
    """Write a text on one line, and keep a spreadsheet program from running it."""
    if isinstance(value, str):
        return inert(printable(value.replace("\n", " ")))
    return "" if value is None else f"{value:g}"
