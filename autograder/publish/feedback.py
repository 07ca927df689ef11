"""The feedback page of one submission: what a student reads, in one file."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from autograder.errors import EvidenceError, SplotError, SubmissionError
from autograder.evidence.records import History
from autograder.language import Lang, say, speaking
from autograder.measuring.findings import Findings, read_findings
from autograder.notebook.assignment import Assignment
from autograder.notebook.submission import read_submission
from autograder.publish.charts import Panel, panel
from autograder.publish.expectations import expectation
from autograder.publish.marks import Mark, Row, after_lateness, place, rows, total
from autograder.publish.page import render
from autograder.report import Outcome, Report, read_report
from autograder.wholefile import write_whole

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
    report = _report(folder)
    findings = _findings(folder / "evidence", report)
    with speaking(lang):
        judged = rows(report, marks)
        ordinary, bonus = after_lateness(total(judged), total(judged, bonus=True), penalty)
        styles = {model.name: style for style, model in enumerate(findings.models)}
        return render(
            "feedback.html",
            lang,
            report=report,
            findings=findings,
            tasks=_by_task(judged),
            total=ordinary,
            bonus=bonus,
            penalty=penalty,
            reason=_own_fault(report, assignment, lang),
            places={row.cell.id: place(assignment, row.cell.id) for row in judged},
            expected={row.cell.id: expectation(row.cell.id) for row in judged},
            panels=_panels({model.name: model.history for model in findings.models if model.history}, styles),
            styles=styles,
        )


def _report(folder: Path) -> Report:
    try:
        return read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise SplotError(f"{folder / 'report.json'} cannot be read ({error}); grade the submission first.") from error


def _findings(evidence: Path, report: Report) -> Findings:
    """Read what the judge found; what an ungraded report leaves lying about belongs to an earlier run."""
    if report.status is Outcome.UNGRADED:
        return Findings()
    try:
        return read_findings(evidence)
    except EvidenceError:
        return Findings()


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


def _panels(histories: Mapping[str, History], styles: Mapping[str, int]) -> list[Panel]:
    """Lay out the three learning curves of all models together."""
    titles = {
        "train_loss": say(pl="strata, zbiór uczący", en="loss, training set"),
        "val_loss": say(pl="strata, zbiór walidacyjny", en="loss, validation set"),
        "val_accuracy": say(pl="dokładność, zbiór walidacyjny", en="accuracy, validation set"),
    }
    found = []
    for field, title in titles.items():
        curves = {name: getattr(history, field) or () for name, history in histories.items()}
        found.append(panel(title, curves, styles))
    return [panel for panel in found if panel is not None]
