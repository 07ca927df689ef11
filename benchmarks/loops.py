"""What the sandbox's settings do to a student's training: `python -m benchmarks.loops`, from the repository's root.

The five loops of `benchmarks.tutorials` train in a sandbox as for grading, one kernel for all five, on the images of `quick`.
Each `--change` is a set of environment variables that a kernel gets beside today's (`A=1 B=2`; `A=` takes one away), each
measured in turn with today's. `--unwatched` is today's without what the grader adds to the kernel's process. Seconds are the
kernel's with its children (the worker processes of a DataLoader), on the clock and of all processors; what the grader itself
uses meanwhile is in the last row. Weights must be the same, bit for bit, or the change is none that a grader may make.

On a busy machine compare processor time, and the ratio of pairs that were measured one after the other.
"""

import asyncio
import inspect
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any
from unittest.mock import patch

import typer
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.table import Column, Table

from autograder.engine import inside
from autograder.engine.collecting.collect import BOOTSTRAP
from autograder.engine.collecting.runner import Runner
from autograder.engine.report import Profile
from autograder.engine.sandbox import Limits, Sandbox, SandboxKind, kernel
from autograder.lesson import LESSON
from autograder.lesson.datasets import data_folder
from benchmarks import tutorials

NOW, UNWATCHED = "now", "unwatched"
GRADER = "the grader meanwhile"
CELL_S = 600.0
WIDTH = 160
FIRST = "\ntorch.optim.SGD(nn.Linear(1, 1).parameters())  # the first optimiser imports torch._dynamo\n"
TIMED = """
import hashlib, json, resource, time
def _used():
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
torch.manual_seed(0)
_before, _wall = _used(), time.perf_counter()
_model = LOOPS[{loop!r}]()
_wall, _after = time.perf_counter() - _wall, _used()
_user, _system, _faults = (
    sum(getattr(b, name) - getattr(a, name) for a, b in zip(_before, _after))
    for name in ("ru_utime", "ru_stime", "ru_minflt"))
_digest = hashlib.sha256(b"".join(t.numpy().tobytes() for t in _model.state_dict().values())).hexdigest()
del _model
print(json.dumps(dict(wall=_wall, user=_user, system=_system, faults=_faults, digest=_digest, peak=_after[0].ru_maxrss)))
"""


@dataclass(frozen=True)
class Training:
    """One loop's run: seconds, page faults, the digest of the weights, the kernel's largest resident size in KiB."""

    wall: float
    user: float
    system: float
    faults: int = 0
    digest: str = ""
    peak: int = 0

    @property
    def cpu(self) -> float:
        """Seconds of all processors."""
        return self.user + self.system


def main(
    changes: Annotated[list[str] | None, typer.Option("--change", help="'A=1 B=2'; 'A=' takes it away.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Of each.")] = 5,
    only: Annotated[list[str] | None, typer.Option("--loop", help="Only these (repeat). [all]")] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Sandboxes, each with its share of the cores.")] = 1,
    unwatched: Annotated[bool, typer.Option(help="Measure without the grader's part of the kernel too.")] = False,
) -> None:
    """Measure every setting in turn, round after round, and print a table per loop."""
    loops = only or [*tutorials.LOOPS]
    if unknown := {*loops} - {*tutorials.LOOPS}:
        raise typer.BadParameter(f"no loop {', '.join(sorted(unknown))}; there are {', '.join(tutorials.LOOPS)}.")
    settings = [NOW, *(changes or ()), *([UNWATCHED] if unwatched else ())]
    measured: dict[str, dict[str, list[Training]]] = {}
    for number in range(rounds):
        for setting in settings[:: 1 if number % 2 else -1]:
            for loop, training in _measure(setting, loops, at_once):
                measured.setdefault(loop, {}).setdefault(setting, []).append(training)
                print(settings.index(setting), loop, training, file=sys.stderr)  # noqa: T201 - for a run cut short
    Console(width=WIDTH).print(_table(measured, settings), *(f"{i}: {setting}\n" for i, setting in enumerate(settings)))


def _measure(setting: str, loops: list[str], at_once: int) -> Iterator[tuple[str, Training]]:
    """Yield each loop's run in a new kernel with a setting, and the grader's own seconds; of several at once, all of them."""
    with _environment("" if setting in {NOW, UNWATCHED} else setting):
        yield from asyncio.run(_all_at_once(setting, loops, at_once))


@contextmanager
def _environment(change: str) -> Iterator[None]:
    """Have kernels that start in this block get other variables."""
    given = {name: value for name, _, value in (assignment.partition("=") for assignment in change.split())}
    usual = kernel.environment

    def changed(sandbox: Sandbox) -> dict[str, str]:
        return {name: value for name, value in (usual(sandbox) | given).items() if value}

    with patch.object(kernel, "environment", changed):
        yield


async def _all_at_once(setting: str, loops: list[str], at_once: int) -> list[tuple[str, Training]]:
    wall, cpu = time.perf_counter(), time.process_time()
    runs = await asyncio.gather(*(_run(setting, loops, at_once) for _ in range(at_once)))
    grader = Training(time.perf_counter() - wall, time.process_time() - cpu, 0.0)
    return [*(pair for run in runs for pair in run), (GRADER, grader)]


async def _run(setting: str, loops: list[str], at_once: int) -> list[tuple[str, Training]]:
    """Run the loops in one kernel."""
    limits = Limits(cores=max(1, Limits().cores // at_once), shared=at_once > 1)
    code = {"engine/inside": Path(inside.__file__).parent, **LESSON.code}
    sources = [inspect.getsource(tutorials) + FIRST, *(TIMED.format(loop=loop) for loop in loops)]
    notebook = new_notebook(cells=[*map(new_code_cell, sources)])
    with Sandbox.open(SandboxKind.BWRAP, code=code, data=data_folder(Profile.QUICK), limits=limits) as sandbox:
        runner, view = Runner(notebook, sandbox), sandbox.inside
        prepare = BOOTSTRAP.format(code=str(view.code), inbox="", outbox="", recorders=LESSON.recorders)
        try:
            await runner.start("" if setting == UNWATCHED else f"exec({prepare!r}, {{'shell': get_ipython()}})")
            failures = [(await runner.run(index, CELL_S)).failure for index in range(len(sources))]
        finally:
            await runner.stop()
    if any(failures):
        raise RuntimeError(f"{setting}: {failures}")
    return [(loop, _printed(cell)) for loop, cell in zip(loops, notebook.cells[1:], strict=True)]


def _printed(cell: Any) -> Training:
    text = "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")
    return Training(**json.loads(text.strip().splitlines()[-1]))


def _table(measured: dict[str, dict[str, list[Training]]], settings: list[str]) -> Table:
    numbers = ("wall, s", "of now's", "CPU, s", "of now's", "system, s", "page faults", "MiB", "weights")
    table = Table(*(Column(name, no_wrap=True) for name in ("loop", "setting", *numbers)))
    for loop, by_setting in measured.items():
        for setting in settings:
            runs, base = by_setting[setting], by_setting[NOW]
            walls, cpus = [run.wall for run in runs], [run.cpu for run in runs]
            digests = {run.digest[:8] for run in runs}
            table.add_row(
                loop,
                str(settings.index(setting)),
                _spread(walls),
                _spread([run.wall / before.wall for run, before in zip(runs, base, strict=True)]),
                _spread(cpus),
                _spread([run.cpu / before.cpu for run, before in zip(runs, base, strict=True)]),
                _spread([run.system for run in runs]),
                f"{mean(run.faults for run in runs):,.0f}",
                f"{max(run.peak for run in runs) / 1024:.0f}",
                ", ".join(sorted(digests)),
            )
        table.add_section()
    return table


def _spread(values: list[float]) -> str:
    return f"{mean(values):.2f} ± {stdev(values):.2f}"


if __name__ == "__main__":
    typer.run(main)
