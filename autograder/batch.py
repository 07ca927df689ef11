"""Grade a class: one submission after another, or several at a time in processes of their own."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from autograder.assignment import Assignment
from autograder.grading import Grading, grade, ungraded
from autograder.report import Report


def grade_all(paths: list[Path], assignment: Assignment, how: Grading, jobs: int = 1) -> Iterator[Report]:
    """Yield each submission's report as it is done; one that breaks its process is ungraded and costs no other."""
    if jobs == 1 or len(paths) < 2:
        for path in paths:
            yield grade(path, assignment, how)
        return
    cores = max(1, (os.cpu_count() or 1) // jobs)
    how = replace(how, limits=replace(how.limits, cores=cores))
    with ProcessPoolExecutor(
        min(jobs, len(paths)), mp_context=get_context("spawn"), initializer=_share_cores, initargs=(cores,)
    ) as pool:
        futures = {pool.submit(grade, path, assignment, how): path for path in paths}
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                path = futures[future]
                yield ungraded(
                    path, path.stem, assignment, how, "The grader's process ended unexpectedly; grade it again."
                )


def _share_cores(cores: int) -> None:
    """Let judges that run side by side share the cores instead of fighting for them."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(cores)
