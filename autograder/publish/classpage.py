"""The class page: where a class stands, what it stumbles over, and who needs a person's look. For instructors."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from autograder.errors import SplotError
from autograder.language import Lang, count, say, speaking
from autograder.publish.charts import Panel, histogram, panel
from autograder.publish.class_table import class_table
from autograder.publish.classroom import Work, cell_shares, median_curve, read_class, written
from autograder.publish.feedback import FILE
from autograder.publish.flagged import figures, meaning
from autograder.publish.page import render
from autograder.wholefile import write_whole

BINS = 10
SLOWEST = 10
CROWD, MEDIAN = 0, 1  # styles of curves


@dataclass(frozen=True)
class ClassPage:
    """What was written."""

    page: Path
    table: Path


def write_class_page(graded: Path, assignment: str, lang: Lang, out: Path | None = None) -> ClassPage:
    """Write one page for everything below `graded/`, by default class.html there, and the same as CSV beside it.

    Raises `SplotError` where there is no report, or nothing can be written.
    """
    out = out or graded / "class.html"
    if out.suffix == ".csv":
        raise SplotError(f"{out} is where the table goes; give the page's own name, such as class.html.")
    works = read_class(graded, assignment)
    page = write_whole(out, class_page(works, lang, out.parent).encode())
    return ClassPage(page, write_whole(out.with_suffix(".csv"), class_table(works)))


def class_page(works: Sequence[Work], lang: Lang, beside: Path) -> str:
    """Return the page; links to feedback pages are relative to the folder it will lie in."""
    flagged = [work for work in works if work.report and work.report.flags]
    codes = sorted({flag.code for work in flagged for flag in (work.report.flags if work.report else ())})
    shares = [share for work in works if (share := work.share) is not None]
    with speaking(lang):
        return render(
            "class.html",
            lang,
            works=works,
            shares=shares,
            bins=histogram(shares, 0.0, 1.0, BINS),
            middle=median(shares) if shares else None,
            cells=cell_shares(works),
            panels=_panels(works),
            waiting=[work for work in works if work.waiting or not work.graded or work.findings.faults],
            flagged=flagged,
            figures=figures,
            meanings={code: meaning(code) for code in codes},
            written=written(works),
            slowest=sorted((w for w in works if w.seconds), key=lambda work: -work.seconds)[:SLOWEST],
            links={work.folder: _link(work, beside) for work in works},
        )


def _link(work: Work, beside: Path) -> str:
    """Return the address of a student's feedback page from the class page; nothing where there is none."""
    page = work.folder / FILE
    return "./" + quote(os.path.relpath(page, beside)) if page.is_file() else ""


def _panels(works: Sequence[Work]) -> list[Panel]:
    """Lay out, for each model, everybody's validation accuracy and the median."""
    found = []
    for name in dict.fromkeys(name for work in works for name in work.histories):
        curves = [history.val_accuracy or () for work in works if (history := work.histories.get(name))]
        named = {str(number): curve for number, curve in enumerate(curves)}
        styles = dict.fromkeys(named, CROWD) | {"median": MEDIAN}
        drawn = panel(_title(name, len(curves)), named | {"median": median_curve(curves)}, styles, markers=False)
        found += [drawn] if drawn else []
    return found


def _title(name: str, submissions: int) -> str:
    return name + say(pl=f", {count(submissions, 'praca', 'prace', 'prac')}", en=f", {submissions} submissions")
