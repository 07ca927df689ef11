"""What a person waits for before any training: `python -m benchmarks.start`, from the repository's root.

Commands, from the shell to their end: `splot --help`, `splot check` of the release, `splot report` of 300 students, `splot grade`
of the untouched release. Then, each in a cold kernel in the sandbox, what the sheet imports. Wall time, and processor
time of all processes together: on a busy machine only the latter can be compared, and its minimum best. The sandbox's own
processes are killed at the end, and nobody is told their time: of `splot grade` it is only the grader's.
"""

import asyncio
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import typer
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.table import Column, Table

from autograder.engine import inside
from autograder.engine.collecting.collect import BOOTSTRAP
from autograder.engine.sandbox import Sandbox, SandboxKind, kernel_manager
from autograder.lesson import LESSON

RELEASE = Path("release/cnn/cnn.ipynb")
SPLOT = [sys.executable, "-c", "from autograder.cli import main; main()"]
STUDENTS = 300
PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h: what a command leaves behind becomes our child, and its time counts."""
IMPORTS = {
    "%pip install torchinfo": "%pip install torchinfo",
    "matplotlib.pyplot": "import matplotlib.pyplot as plt",
    "torch": "import torch, torch.nn.functional as F",
    "torchvision": "from torchvision import datasets, transforms",
    "a first optimiser": "torch.optim.Adam(torch.nn.Linear(1, 1).parameters())",
}
TIMED = """
import resource, time
def _used():
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
_wall, _cpu = time.perf_counter(), _used()
{line}
print("seconds", time.perf_counter() - _wall, _used() - _cpu)
"""

Seconds = tuple[float, float]
"""Wall, and of all processors."""


def main(runs: Annotated[int, typer.Option(min=2, help="Of each.")] = 5) -> None:
    """Measure everything, in turn, and print a table."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("prctl failed")
    with tempfile.TemporaryDirectory() as folder:
        graded = Path(folder) / "graded"
        _command("grade", RELEASE, "--out", graded)
        _multiply(graded, Path(folder) / "class")
        commands: dict[str, Callable[[], Seconds]] = {
            "splot --help": lambda: _command("--help"),
            "splot check": lambda: _command("check", RELEASE),
            f"splot report, {STUDENTS} students": lambda: _command("report", Path(folder) / "class"),
            "splot grade, untouched": lambda: _command("grade", RELEASE, "--out", graded),
        }
        measured: dict[str, list[Seconds]] = {}
        for _ in range(runs):
            for name, call in commands.items():
                measured.setdefault(name, []).append(call())
            for name, seconds in _in_cold_kernel():
                measured.setdefault(name, []).append(seconds)
    Console().print(_table(measured))


def _command(*arguments: str | Path) -> Seconds:
    """Run a command and everything that it starts to their end."""
    wall, cpu = time.perf_counter(), _used_by_children()
    subprocess.run([*SPLOT, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - our own
    wall = time.perf_counter() - wall
    with suppress(ChildProcessError):
        while True:
            os.wait()
    return wall, _used_by_children() - cpu


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _multiply(graded: Path, into: Path) -> None:
    """Copy the one student's results for a class."""
    (student,) = (path for path in graded.iterdir() if path.is_dir())
    for number in range(STUDENTS):
        shutil.copytree(student, into / f"student-{number}")


def _in_cold_kernel() -> Iterator[tuple[str, Seconds]]:
    """Yield the seconds of each import, and of a first optimiser, in a new kernel that is prepared as for grading."""
    code = {"engine/inside": Path(inside.__file__).parent, **LESSON.code}
    with Sandbox.open(SandboxKind.BWRAP, code=code) as sandbox:
        yield from asyncio.run(_run(sandbox))


async def _run(sandbox: Sandbox) -> list[tuple[str, Seconds]]:
    view = sandbox.inside
    prepare = BOOTSTRAP.format(code=str(view.code), inbox="", outbox="", recorders=LESSON.recorders)
    cells = [f"exec({prepare!r}, {{'shell': get_ipython()}})", *(TIMED.format(line=line) for line in IMPORTS.values())]
    manager = kernel_manager(sandbox)
    client = NotebookClient(new_notebook(cells=[*map(new_code_cell, cells)]), km=manager)
    await client.async_start_new_kernel()
    await client.async_start_new_kernel_client()
    try:
        outputs = [await client.async_execute_cell(cell, index) for index, cell in enumerate(client.nb.cells)]
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        await manager.shutdown_kernel(now=True)
    return [(name, _printed(cell)) for name, cell in zip(IMPORTS, outputs[1:], strict=True)]


def _printed(cell: Any) -> Seconds:
    text = "".join(output.get("text", "") for output in cell.outputs)
    wall, cpu = text.rpartition("seconds ")[2].split()
    return float(wall), float(cpu)


def _table(measured: dict[str, list[Seconds]]) -> Table:
    table = Table(*(Column(name, no_wrap=True) for name in ("what", "n", "wall, s", "least", "CPU, s", "least")))
    for name, seconds in measured.items():
        columns = [text for each in zip(*seconds, strict=True) for text in (_spread(each), f"{min(each):.2f}")]
        table.add_row(name, str(len(seconds)), *columns)
    return table


def _spread(values: tuple[float, ...]) -> str:
    return f"{mean(values):.2f} ± {stdev(values):.2f}"


if __name__ == "__main__":
    typer.run(main)
