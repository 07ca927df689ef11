"""The class page for instructors: the scores, the checks that fail most, and the submissions that need a person."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from autograder.engine.errors import SplotError
from autograder.engine.evidence import Findings
from autograder.engine.files import write_whole
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, find_reports
from autograder.engine.pages.page import render
from autograder.engine.pages.results import by_message, findings_of, read_result
from autograder.engine.report import FEEDBACK_FILE, CellReport, Kind, Outcome, Report, Status
from autograder.engine.text import Field, Lang, csv_table, in_language, printable

COMMONEST = 3
SLOWEST = 10
BINS = 10
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class ClassSubmission:
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
        """Its score as a fraction, 0…1, of the points that the grader decided."""
        report = self.report
        if report is None or not self.graded or not report.max_score:
            return None
        return (report.score or 0.0) / report.max_score

    @property
    def seconds(self) -> float:
        """The wall time that grading it took."""
        return self.report.timing.notebook_s + self.report.timing.ours_s if self.report else 0.0


@dataclass(frozen=True)
class CheckShare:
    """The results of one check in the class; `decided` counts the submissions in which it passed or failed."""

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
    """The results of one graded cell in the class: its checks, and the most frequent messages with their counts."""

    cell: CellReport
    checks: tuple[CheckShare, ...]
    messages: tuple[tuple[str, int], ...]


def read_class(folder: Path, assignment: Assignment) -> list[ClassSubmission]:
    """Read every report below `graded/`, by student; raises `SplotError` where there is none."""
    kind = find_lesson(assignment.lesson).findings
    works = []
    for path in find_reports(folder, assignment.name):
        try:
            report = read_result(path.parent)
        except SplotError as error:
            works.append(ClassSubmission(path.parent.parent.name, path.parent, None, kind(), str(error)))
        else:
            findings = findings_of(report, path.parent, kind)
            works.append(ClassSubmission(report.student, path.parent, report, findings, report.reason or ""))
    return works


def cell_shares(works: Sequence[ClassSubmission]) -> list[CellShare]:
    """Return the graded cells that have checks, those with a check that most failed first."""
    cells: dict[str, list[CellReport]] = {}
    for work in works:
        for cell in work.report.cells if work.report else ():
            cells.setdefault(cell.id, []).append(cell)
    shares = [_cell_share(same) for same in cells.values() if any(cell.checks for cell in same)]
    return sorted(shares, key=lambda share: -max(check.share for check in share.checks))


def _cell_share(cells: list[CellReport]) -> CellShare:
    """Count one cell's results and messages, each once per submission; messages that differ only in numbers are one."""
    outcomes: dict[str, list[bool | None]] = {}
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for cell in cells:
        for check in cell.checks:
            outcomes.setdefault(check.name, []).append(check.passed)
        messages = {NUMBER.sub("#", message): message for message in by_message(cell.checks) if message}
        counts.update(messages.keys())
        first = messages | first
    checks = (
        CheckShare(name, sum(one is not None for one in passed), passed.count(False), passed.count(None))
        for name, passed in outcomes.items()
    )
    return CellShare(cells[0], tuple(checks), tuple((first[key], n) for key, n in counts.most_common(COMMONEST)))


COLUMNS = (
    *("student", "status", "reason", "score", "max_score", "bonus", "max_bonus", "profile", "dataset"),
    *("notebook_s", "ours_s", "flags", "cell", "title", "kind", "points", "cell_score", "cell_status"),
    *("check", "weight", "passed", "message"),
)


def class_table(works: Sequence[ClassSubmission]) -> bytes:
    """Return the table as CSV: one row per check, each text on one line."""
    rows = (row for work in works for row in _rows(work))
    return csv_table(
        COLUMNS,
        ([printable(field.replace("\n", " ")) if isinstance(field, str) else field for field in row] for row in rows),
    )


def _rows(work: ClassSubmission) -> Iterator[tuple[Field, ...]]:
    report = work.report
    if report is None:
        yield work.student, "unreadable", work.reason
        return
    head = (
        *(report.student, report.status, report.reason),
        *(report.score, report.max_score, report.bonus, report.max_bonus),
        *(report.profile, report.dataset, report.timing.notebook_s, round(report.timing.ours_s, 3)),
        " ".join(sorted({flag.code for flag in report.flags})),
    )
    if not report.cells:
        yield head
    for cell in report.cells:
        about = (cell.id, cell.title, cell.kind, cell.points, cell.score, cell.status)
        if not cell.checks:
            yield (*head, *about)
        for check in cell.checks:
            yield (*head, *about, check.name, check.weight, check.passed, check.message)


def write_class_page(graded: Path, assignment: Assignment, lang: Lang, out: Path | None = None) -> tuple[Path, Path]:
    """Write one page for everything below `graded/`, by default class.html there, and the same as CSV beside it.

    Returns both paths. Raises `SplotError` where there is no report, or nothing can be written.
    """
    out = out or graded / "class.html"
    if out.suffix == ".csv":
        raise SplotError(f"{out} is where the table goes; give the page's own name, such as class.html.")
    works = read_class(graded, assignment)
    page = write_whole(out, class_page(works, assignment, lang, out.parent).encode())
    return page, write_whole(out.with_suffix(".csv"), class_table(works))


def class_page(works: Sequence[ClassSubmission], assignment: Assignment, lang: Lang, beside: Path) -> str:
    """Return the page; links to feedback pages are relative to the folder it will lie in."""
    lesson = find_lesson(assignment.lesson)
    reports = [work.report for work in works if work.report]
    shares = [share for work in works if (share := work.share) is not None]
    written = [cell.kind is Kind.MANUAL and cell.status is Status.MANUAL for report in reports for cell in report.cells]
    links = {work.folder: work.folder / FEEDBACK_FILE for work in works if (work.folder / FEEDBACK_FILE).is_file()}
    with in_language(lang):
        codes = sorted({flag.code for report in reports for flag in report.flags})
        return render(
            "class.html",
            lang,
            lesson,
            works=works,
            shares=shares,
            bins=histogram(shares),
            middle=median(shares) if shares else None,
            cells=cell_shares(works),
            waiting=[w for w in works if not w.graded or w.findings.faults or (w.report and w.report.undecided)],
            flagged=[work for work in works if work.report and work.report.flags],
            meanings={code: lesson.flag_meaning(code) for code in codes},
            written=sum(written),
            slowest=sorted((w for w in works if w.seconds), key=lambda work: -work.seconds)[:SLOWEST],
            links={folder: "./" + quote(os.path.relpath(page, beside)) for folder, page in links.items()},
            **lesson.class_page([work.findings for work in works]),
        )


def histogram(shares: Sequence[float]) -> list[int]:
    """Count shares in `BINS` equal parts of 0…1; what lies beyond counts at the edge."""
    counts = Counter(min(BINS - 1, max(0, int(share * BINS))) for share in shares)
    return [counts[number] for number in range(BINS)]
