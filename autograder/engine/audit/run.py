"""Runs the whole grader over a corpus: writes its notebooks, grades them as any class, and compares the reports with the rows.

What an earlier audit graded with the same key is not graded again (`grading/keys.py`), so the folder of the audit is its cache.
The secret from which hidden inputs are drawn is fixed, one for each repeat, so that an audit can be repeated anywhere.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import nbformat
from nbformat.v4 import new_code_cell

from autograder.engine.audit.compare import SampleAudit, compare
from autograder.engine.audit.corpus import Sample
from autograder.engine.audit.rates import Rates, rates
from autograder.engine.files import write_whole
from autograder.engine.grading import Grading, grade_all
from autograder.engine.notebook import Assignment, find_release
from autograder.engine.report import Profile
from autograder.engine.text import Lang

SCHEMA = "splot/audit/v1"
SECRET = "SPLOT_SECRET"  # noqa: S105 - the variable's name


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an audit, as `--json` writes it; `samples` has each submission once for each repeat."""

    schema: str = SCHEMA
    assignment: str
    profile: Profile
    repeats: int
    rates: Rates
    samples: tuple[SampleAudit, ...]

    @property
    def ungraded(self) -> tuple[SampleAudit, ...]:
        """The submissions that could not be audited."""
        return tuple(sample for sample in self.samples if sample.reason is not None)

    @property
    def faults(self) -> tuple[SampleAudit, ...]:
        """The submissions on which the grader and the rows disagree."""
        return tuple(sample for sample in self.samples if sample.has_faults)


def audit_corpus(
    samples: list[Sample],
    assignment: Assignment,
    how: Grading,
    jobs: int = 1,
    repeats: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[SampleAudit]:
    """Yield what each submission got against its row, as it is graded, once for each repeat; reports go below `how.out`."""
    notebooks = {_write(sample, assignment, how.out / "submitted"): sample for sample in samples}
    by_student = {sample.student: sample for sample in samples}
    for number in range(1, repeats + 1):
        grading = replace(how, out=how.out / f"graded-{number}", lang=Lang.EN)
        with _secret(f"splot audit {number}"):  # a task takes the environment as it is made
            reports = grade_all(list(notebooks), assignment, grading, jobs, stopped)
        for done in reports:
            yield compare(by_student[done.report.student], done.report)


def _write(sample: Sample, assignment: Assignment, folder: Path) -> Path:
    """Write a submission as a student of the class; one that is there and equal is left alone."""
    notebook = nbformat.read(find_release(assignment.name), as_version=4)
    for answer in sample.answers:
        place = next(index for index, cell in enumerate(notebook.cells) if cell.id == answer.cell_id)
        if answer.added:
            notebook.cells.insert(place, new_code_cell(answer.source, id=f"added-{place}"))
        else:
            notebook.cells[place].source = answer.source
    path = folder / sample.student / assignment.name / f"{assignment.name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, nbformat.writes(notebook).encode())
    return path


@contextmanager
def _secret(secret: str) -> Iterator[None]:
    before = os.environ.get(SECRET)
    os.environ[SECRET] = secret
    try:
        yield
    finally:
        os.environ.pop(SECRET)
        os.environ.update({} if before is None else {SECRET: before})


def summarize(samples: list[SampleAudit], assignment: Assignment, profile: Profile, repeats: int) -> Audit:
    """Make the result of the whole audit, sorted by name."""
    ordered = tuple(sorted(samples, key=lambda sample: sample.name))
    return Audit(assignment=assignment.name, profile=profile, repeats=repeats, rates=rates(ordered), samples=ordered)
