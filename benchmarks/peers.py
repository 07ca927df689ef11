"""Splot beside nbgrader's own autograde and otter-grader, on the same submissions: `python -m benchmarks.peers`.

Each submission is graded by each grader's own command: wall time, processor time and memory of all its processes, and the points.
Every result is kept in build/peers/runs.jsonl as it comes, so the command goes on where it was stopped: `--rounds 3` grades what
has fewer than three results. `--write` puts tables and plots into docs/benchmarks.md and grades nothing.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from autograder.lesson.calibrate import measured_by
from benchmarks.composed_class import COMPARED, Sample
from benchmarks.peer_graders import ALL_IMAGES, Nbgrader, Otter, Peer, Splot
from benchmarks.peer_results import RUNS, PeerRun, read_runs, write_page
from tests.submissions.build import ROOT

BUILD = RUNS.parent
OTTER = "otter-grader==7.0.0"


def main(
    only: Annotated[list[str] | None, typer.Option(metavar="SAMPLE", help="this submission alone; repeatable")] = None,
    grader: Annotated[list[str] | None, typer.Option(help="splot, nbgrader or otter; repeatable")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="results of each that there shall be")] = 1,
    students: Annotated[int, typer.Option(min=1, help="copies of the submission, graded as one class")] = 1,
    images: Annotated[
        int, typer.Option(min=600, help="first images of each part; fewer than all only to try it")
    ] = ALL_IMAGES,
    otter: Annotated[
        Path | None, typer.Option(help="a Python that has otter-grader; else one is made in build/")
    ] = None,
    *,
    write: Annotated[bool, typer.Option("--write", help="only write docs/benchmarks.md from the results")] = False,
) -> None:
    """Grade what has too few results, and print each as it comes."""
    if write:
        write_page()
        return
    samples = [sample for sample in COMPARED if not only or sample.name in only]
    peers = dict(_peers(images, grader or ["splot", "nbgrader", "otter"], otter))
    if unknown := set(only or ()) - {sample.name for sample in COMPARED}:
        raise typer.BadParameter(
            f"no such submission: {', '.join(unknown)}; there are {', '.join(s.name for s in COMPARED)}"
        )
    for number in range(rounds):
        for sample in samples:
            for name, peer in peers.items():
                kept = [run for run in read_runs() if run.same_as(name, sample.name, students, images)]
                if len(kept) <= number:
                    _keep(_graded(name, peer, sample, students))


def _peers(images: int, names: list[str], otter: Path | None) -> Iterator[tuple[str, Peer]]:
    """Yield the graders, each prepared."""
    for name in names:
        folder = BUILD / f"{name}-{images}"
        peer: Peer
        match name:
            case "splot":
                peer = Splot(folder, images)
            case "nbgrader":
                peer = Nbgrader(folder, images)
            case "otter":
                peer = Otter(folder, images, (otter or _made_otter()).absolute())
            case _:
                raise typer.BadParameter(f"no such grader: {name}; there are splot, nbgrader and otter")
        peer.empty("")
        peer.prepare()
        yield name, peer


def _made_otter() -> Path:
    """Return the Python of an environment with otter-grader alone, made if need be."""
    folder = ROOT / "build" / "otter"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "otter").exists():
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", OTTER],
        ):
            subprocess.run(command, check=True)  # noqa: S603 - our own
    return python


def _graded(name: str, peer: Peer, sample: Sample, students: int) -> PeerRun:
    """Have one grader grade one submission, or a few of it."""
    names = [f"{sample.name}-{number}" for number in range(students)]
    peer.submit(sample, names)
    load = os.getloadavg()[0]
    usage = peer.grade()
    points = {cell: worth for cell, worth in peer.points(names[0]).items() if worth is not None}
    how = measured_by(f"python -m benchmarks.peers --only {sample.name} --grader {name}")
    return PeerRun(name, peer.version(), sample.name, students, peer.images, points, usage, how, round(load, 1))


def _keep(run: PeerRun) -> None:
    """Print a result and append it to the others."""
    with RUNS.open("ab") as file:
        file.write(msgspec.json.encode(run) + b"\n")
    used = f"{run.wall_s:.1f} s, CPU {run.cpu_s:.1f} s a student, peak {run.usage.peak_mb:.0f} MB"
    Console().print(f"{run.sample} by {run.version}: {run.total} points, {used}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
