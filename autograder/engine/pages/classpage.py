"""The class page: where a class stands, what it stumbles over, and who needs a person's look. For instructors."""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from autograder.engine.errors import SplotError
from autograder.engine.evidence import Findings, findings_or_none
from autograder.engine.files import write_whole
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, find_reports
from autograder.engine.pages.charts import histogram
from autograder.engine.pages.feedback import FILE
from autograder.engine.pages.page import figures, render
from autograder.engine.report import CellReport, Check, Kind, Outcome, Report, Status, read_report
from autograder.engine.text import Lang, inert, printable, speaking

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


def read_class(folder: Path, assignment: Assignment) -> list[Work]:
    """Read every report below `graded/`, by student; raises `SplotError` where there is none."""
    kind = find_lesson(assignment.lesson).findings
    return [_read(path.parent, kind) for path in find_reports(folder, assignment.name)]


def _read(folder: Path, kind: type[Findings]) -> Work:
    try:
        report = read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        reason = f"report.json cannot be read ({error}); grade this submission again."
        return Work(folder.parent.name, folder, None, kind(), reason)
    graded = report.status is Outcome.GRADED
    findings = findings_or_none(folder / "evidence", kind) if graded else kind()
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


def written(works: Sequence[Work]) -> int:
    """Count the written answers that wait for a person."""
    cells = [cell for work in works if work.report for cell in work.report.cells]
    return sum(cell.kind is Kind.MANUAL and cell.status is Status.MANUAL for cell in cells)


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


BINS = 10
SLOWEST = 10


@dataclass(frozen=True)
class ClassPage:
    """What was written."""

    page: Path
    table: Path


def write_class_page(graded: Path, assignment: Assignment, lang: Lang, out: Path | None = None) -> ClassPage:
    """Write one page for everything below `graded/`, by default class.html there, and the same as CSV beside it.

    Raises `SplotError` where there is no report, or nothing can be written.
    """
    out = out or graded / "class.html"
    if out.suffix == ".csv":
        raise SplotError(f"{out} is where the table goes; give the page's own name, such as class.html.")
    works = read_class(graded, assignment)
    page = write_whole(out, class_page(works, assignment, lang, out.parent).encode())
    return ClassPage(page, write_whole(out.with_suffix(".csv"), class_table(works)))


def class_page(works: Sequence[Work], assignment: Assignment, lang: Lang, beside: Path) -> str:
    """Return the page; links to feedback pages are relative to the folder it will lie in."""
    lesson = find_lesson(assignment.lesson)
    flagged = [work for work in works if work.report and work.report.flags]
    codes = sorted({flag.code for work in flagged for flag in (work.report.flags if work.report else ())})
    shares = [share for work in works if (share := work.share) is not None]
    with speaking(lang):
        return render(
            "class.html",
            lang,
            lesson,
            works=works,
            shares=shares,
            bins=histogram(shares, 0.0, 1.0, BINS),
            middle=median(shares) if shares else None,
            cells=cell_shares(works),
            waiting=[work for work in works if work.waiting or not work.graded or work.findings.faults],
            flagged=flagged,
            figures=figures,
            meanings={code: lesson.flag_meaning(code) for code in codes},
            written=written(works),
            slowest=sorted((w for w in works if w.seconds), key=lambda work: -work.seconds)[:SLOWEST],
            links={work.folder: _link(work, beside) for work in works},
            **lesson.class_page([work.findings for work in works]),
        )


def _link(work: Work, beside: Path) -> str:
    """Return the address of a student's feedback page from the class page; nothing where there is none."""
    page = work.folder / FILE
    return "./" + quote(os.path.relpath(page, beside)) if page.is_file() else ""
