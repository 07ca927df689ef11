"""Grade a class: one submission after another, or several at a time in processes of their own."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from autograder.assignment import Assignment
from autograder.errors import SplotError
from autograder.grading import Grading, folder_of, grade, ungraded
from autograder.publish.files import write_report
from autograder.report import Report
from autograder.submission import student_of

BROKEN = "The grader's process ended unexpectedly; grade this submission again."


def grade_all(paths: list[Path], assignment: Assignment, how: Grading, jobs: int = 1) -> Iterator[Report]:
    """Yield each submission's report as it is done; raises `SplotError` where two would be written to one folder."""
    _refuse_clashes(paths, assignment)
    if jobs == 1 or len(paths) == 1:
        return (grade(path, assignment, how) for path in paths)
    return _in_processes(paths, assignment, how, min(jobs, len(paths)))


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


def _in_processes(paths: list[Path], assignment: Assignment, how: Grading, jobs: int) -> Iterator[Report]:
    """Grade several at a time; if one breaks its process, those it took along are graded again, each alone."""
    cores = max(1, (os.cpu_count() or 1) // jobs)
    how = replace(how, limits=replace(how.limits, cores=cores))
    left = set(paths)
    with _pool(jobs, cores) as pool:
        futures = {pool.submit(grade, path, assignment, how): path for path in paths}
        for future in as_completed(futures):
            if not isinstance(future.exception(), BrokenProcessPool):
                left.discard(futures[future])
                yield future.result()
    for path in sorted(left):
        yield _alone(path, assignment, how, cores)


def _alone(path: Path, assignment: Assignment, how: Grading, cores: int) -> Report:
    with _pool(1, cores) as pool:
        try:
            return pool.submit(grade, path, assignment, how).result()
        except BrokenProcessPool:
            student = student_of(path, assignment.name)
            report = ungraded(path, student, assignment, how, BROKEN)
            write_report(report, folder_of(how.out, student, assignment))
            return report


def _pool(jobs: int, cores: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, get_context("spawn"), _share_cores, (cores,))


def _share_cores(cores: int) -> None:
    """Let judges that run side by side share the cores instead of fighting for them."""
    import torch  # noqa: PLC0415 - in the worker only

    torch.set_num_threads(cores)
