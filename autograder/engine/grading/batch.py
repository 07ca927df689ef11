"""Grade submissions, or judge their evidence again: one, or a class of them, several at a time."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from autograder.engine.errors import SplotError
from autograder.engine.grading.task import Grading, Task, folder_of, to_grade, to_judge
from autograder.engine.grading.workers import each
from autograder.engine.notebook import Assignment, refuse_overlap, student_of
from autograder.engine.report import Report
from autograder.engine.text import Lang


def grade(path: Path, assignment: Assignment, how: Grading) -> Report:
    """Grade the notebook at `path` and write its report below `how.out`; never raises for what is in the notebook."""
    return _report(to_grade(path, assignment, how))


def regrade(folder: Path, assignment: Assignment, lang: Lang) -> Report:
    """Judge the evidence below one student's folder again, and write the report anew; no student code runs."""
    return _report(to_judge(folder, assignment, Grading(out=folder.parent.parent, lang=lang)))


def _report(task: Task) -> Report:
    (report,) = each([task])
    return report


def grade_all(
    paths: list[Path],
    assignment: Assignment,
    how: Grading,
    jobs: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Report]:
    """Yield each submission's report as it is done.

    Raises `SplotError` where two would be written to one folder, or one into a submission.
    """
    _refuse_clashes(paths, assignment)
    folders = {path: folder_of(how.out, student_of(path, assignment.name), assignment) for path in paths}
    refuse_overlap(folders, assignment.name, how.out, of_class=len(paths) > 1)
    jobs = min(jobs, len(paths))
    if jobs > 1:
        cores = max(1, (os.cpu_count() or 1) // jobs)
        how = replace(how, limits=replace(how.limits, cores=cores, shared=True))
    return each([to_grade(path, assignment, how) for path in paths], jobs, stopped)


def judge_all(
    folders: list[Path], assignment: Assignment, how: Grading, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Report]:
    """Yield the report of each student's evidence, judged again, as it is done; no student code runs."""
    return each([to_judge(folder, assignment, how) for folder in folders], stopped=stopped)


def _refuse_clashes(paths: list[Path], assignment: Assignment) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        student = student_of(path, assignment.name)
        if student in seen:
            raise SplotError(
                f"{seen[student]} and {path} would both be graded as {student}; "
                f"lay them out as <student>/{assignment.name}/, or grade them one by one with --out."
            )
        seen[student] = path
