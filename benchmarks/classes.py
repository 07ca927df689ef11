"""What a class costs by its size, and what one of 300 would on more machines: `python -m benchmarks.classes --size 60 -j 2`.

A class is composed (60 % whole, 20 % partial, 10 % untouched, 10 % hostile) and graded by `splot grade`. `--light` leaves the
whole ones out, which train for a minute each. `--minutes` stops after so long; the same command goes on. Everything is kept below
build/classes/. `--write` puts tables and plots into docs/benchmarks.md and grades nothing.
"""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import nbformat
import typer
from rich.console import Console

from autograder.lesson.calibrate import measured_by
from benchmarks.class_results import CLASSES, Measured, Piece, write_page
from benchmarks.composed_class import LIGHT, SHARES, compose
from benchmarks.peer_graders import SPLOT
from benchmarks.process_usage import run_measured
from tests.submissions.build import ROOT


def main(
    size: Annotated[int, typer.Option(min=1, help="students")] = 10,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="submissions graded at a time")] = 1,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="stop after so long")] = None,
    *,
    light: Annotated[bool, typer.Option("--light", help="without whole submissions")] = False,
    write: Annotated[bool, typer.Option("--write", help="only write docs/benchmarks.md from the results")] = False,
) -> None:
    """Grade a class as far as it is not graded yet, and print what it took."""
    if write:
        write_page()
        return
    folder = CLASSES / f"{'light' if light else 'mixed'}-{size}-j{jobs}"
    if not folder.exists():
        _write_class(folder / "submitted", size, light=light)
    measured = Measured.read(folder)
    if measured.left:
        _grade(folder, jobs, minutes)
        measured = Measured.read(folder)
    Console().print(measured.summary(), highlight=False, soft_wrap=True)


def _write_class(folder: Path, size: int, *, light: bool) -> None:
    for student, sample in compose(size, LIGHT if light else SHARES):
        path = folder / student / "cnn" / "cnn.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(sample.notebook(), path)


def _grade(folder: Path, jobs: int, minutes: float | None) -> None:
    """Run `splot grade` once, and keep what it took."""
    started = time.time()
    command = [*SPLOT, "grade", str(folder / "submitted"), "--out", str(folder / "graded"), "-j", str(jobs)]
    usage = run_measured(command, ROOT, {}, folder / "log", minutes and 60 * minutes)
    how = measured_by(f"python -m benchmarks.classes {folder.name}")
    with (folder / "pieces.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(Piece(started, usage, how)) + b"\n")


if __name__ == "__main__":
    typer.run(main)
