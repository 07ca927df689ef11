"""Cheap submissions to be interrupted, and what is left of a run seen from outside."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from autograder.engine.grading.pool import each
from autograder.engine.grading.task import Grading, GradingTask, to_grade, to_judge
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import Profile, Report
from autograder.engine.sandbox.processes import descendants
from tests.submissions import build
from tests.submissions.convolutions import LOOPS

SPLOT = [sys.executable, "-P", "-c", "from autograder.cli import main; main()"]
NOTHING = dict.fromkeys(("task3_data", "task1_matrix", "task1_same", "task5_cam"), "")
CHEAP = NOTHING | {"install": "import numpy as np", "task1_convolution": LOOPS}
"""Task 1 done right, and not even torch imported: graded in two seconds."""
CHEAP_POINTS = 4.0
SLEEPING = CHEAP | {"task1_matrix": "import time\ntime.sleep(600)"}
"""The same, and then a cell that takes long."""
STALE = b'{"schema": "splot/report/v1", "of": "an earlier run"}'


def task(cells: Mapping[str, str], root: Path, student: str = "ola", how: Grading | None = None) -> GradingTask:
    """Write a submission below `root`, an earlier run's report where its own will be, and make the task of grading it."""
    notebook = build(cells, root / "submitted", student)
    made = to_grade(notebook, load_assignment(), how or Grading(root / "graded", Profile.QUICK))
    made.folder.mkdir(parents=True, exist_ok=True)
    (made.folder / "report.json").write_bytes(STALE)
    return made


def again(folder: Path, how: Grading) -> GradingTask:
    """Make the task of judging a student's evidence again."""
    return to_judge(folder, load_assignment(), how)


def done(asked: GradingTask) -> Report:
    """Carry out one task."""
    (finished,) = each([asked])
    return finished.report


def wait_for(what: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something holds; a test that waits in vain fails."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def fork_server(command: int = os.getpid()) -> int:
    """Return the process id of a command's fork server, or of this process's; 0 where it has none."""
    return next((pid for pid in descendants(command) if b"multiprocessing.forkserver" in _command(pid)), 0)


def worker() -> int:
    """Return the process id of the worker that was last forked; 0 where none is at work."""
    found = [pid for pid in descendants(fork_server())[1:] if b"multiprocessing.forkserver" in _command(pid)]
    return found[-1] if found else 0


def workers(command: int) -> list[int]:
    """Return the process ids of a command's workers."""
    server = fork_server(command)
    try:
        return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text("ascii").split()]
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def sandboxed(pid: int) -> list[int]:
    """Return the kernels that run in a sandbox below a process."""
    return [found for found in descendants(pid) if b"ipykernel_launcher" in _command(found)]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that is there."""
    assert pid
    os.kill(pid, number)


def short(link: Path) -> Path:
    """Make a temporary folder whose path leaves room for a socket's, and a link to it; deleted when the tests end."""
    if not link.exists():
        link.symlink_to(tempfile.mkdtemp(prefix="t", dir="/tmp"))
        atexit.register(shutil.rmtree, link.resolve(), ignore_errors=True)
    return link.resolve()


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    """Start the command in a folder, in a process group of its own, with what is temporary in `folder/tmp`."""
    short(folder / "tmp")
    return subprocess.Popen(
        [*SPLOT, *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
