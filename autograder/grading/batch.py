"""Grade a class, or judge its evidence again: one submission after another, or several at a time."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from autograder.errors import SplotError
from autograder.grading.task import Grading, folder_of, to_grade, to_judge
from autograder.grading.workers import each
from autograder.notebook.assignment import Assignment
from autograder.notebook.overlap import refuse_overlap
from autograder.notebook.submission import student_of
from autograder.report import Report


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
