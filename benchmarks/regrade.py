"""Processor time of judging stored evidence again: `python -m benchmarks.regrade [build/graded]`.

Evidence is what `splot grade` left (`make grade`). It is copied, and all of it is judged as `splot judge` does, round after
round. A report's time is that of its worker and the judge below it, pages included, in user and system mode, on all cores;
that of the fork server that they come from, which imports everything first, is printed beside it. Of processor time a busy
machine changes little.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Column, Table

from autograder.engine.grading import Grading, judge_all
from autograder.engine.notebook import Assignment, find_evidence, load_assignment
from autograder.engine.report import Outcome

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def server_seconds() -> tuple[float, float]:
    """Return the processor seconds of the fork server itself, and of the workers that have ended (proc(5), `stat`)."""
    pid = vars(forkserver)["_forkserver"]._forkserver_pid  # noqa: SLF001 - multiprocessing tells it in no other way
    if pid is None:
        return 0.0, 0.0
    user, system, users, systems = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[11:15]
    return (int(user) + int(system)) * TICK_S, (int(users) + int(systems)) * TICK_S


def judged(folders: list[Path], assignment: Assignment) -> Iterator[tuple[str, float]]:
    """Judge each folder's evidence and yield the student with the processor seconds that the report took."""
    for folder in folders:
        before = server_seconds()[1]
        (done,) = judge_all([folder], assignment, Grading(out=Path()))
        report = done.report
        if report.status is Outcome.UNGRADED:
            raise typer.BadParameter(f"the evidence of {report.student} cannot be judged: {report.reason}")
        yield report.student, server_seconds()[1] - before


def main(
    evidence: Annotated[Path, typer.Argument(help="what `splot grade` left")] = Path("build/graded"),
    rounds: Annotated[int, typer.Option(min=2, help="how often each is judged")] = 5,
) -> None:
    """Measure every student's evidence and print a table."""
    assignment = load_assignment()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(evidence, copy, dirs_exist_ok=True)
        folders = find_evidence(Path(copy))
        for _ in range(rounds):
            for student, taken in judged(folders, assignment):
                seconds.setdefault(student, []).append(taken)
    table = Table("student", *(Column(name, justify="right") for name in ("n", "mean, s", "± std, s")))
    for student, times in seconds.items():
        table.add_row(student, str(len(times)), f"{mean(times):.2f}", f"{stdev(times):.2f}")
    Console().print(table, f"once, before all: {server_seconds()[0]:.1f} s; torch {torch.__version__}")


if __name__ == "__main__":
    typer.run(main)
