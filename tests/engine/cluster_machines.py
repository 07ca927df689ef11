"""A Dask scheduler and workers in processes of their own, each worker with folders of its own, and a course to grade there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from autograder.engine.report import Report, read_report
from autograder.engine.sandbox.processes import descendants
from tests.engine.interrupted_runs import SPLOT, kill, sandboxed, short, wait_for
from tests.engine.rows_course import LESSON, ROOT

RIGHT = "def row_sums(X):\n    return [sum(row) for row in X]"
WRONG = "def row_sums(X):\n    return X.sum(axis=0)"
SLOW = f"import time\ntime.sleep(5)\n{RIGHT}"
START_S = 120.0
GRADE = ("grade", "submitted", "--lang", "en", "--profile", "quick")
pytest.importorskip("distributed")


def course_of(answers: Mapping[str, str], course: Path) -> Path:
    """Make a course of the second lesson, with a submission for each student."""
    shutil.copytree(LESSON / "source", course / "source", dirs_exist_ok=True)
    for student, answer in answers.items():
        submit(course, student, answer)
    return course


def submit(course: Path, student: str, answer: str) -> None:
    """Hand in a student's answer, in place of an earlier one."""
    notebook = json.loads((course / "source" / "rows" / "rows.ipynb").read_text())
    cell = next(cell for cell in notebook["cells"] if cell["id"] == "row_sums")
    cell["source"] = f"import numpy as np\n{answer}"
    path = course / "submitted" / student / "rows" / "rows.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))


def command(course: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `splot` in a course, in a process group of its own."""
    return subprocess.Popen(
        [*SPLOT, *arguments],
        cwd=course,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SPLOT_SECRET": "the course's", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(running: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command's end; return its exit code and what it said beside the reports."""
    _, said = running.communicate(timeout=300)
    return running.returncode, said.strip()


def scores(course: Path) -> dict[str, float | None]:
    """Return the score of each student in a course."""
    return {student: report.score for student, report in reports(course).items()}


def reports(course: Path, out: str = "graded") -> dict[str, Report]:
    """Return the reports in a course, by student."""
    return {path.parts[-3]: read_report(path) for path in course.glob(f"{out}/*/rows/report.json")}


def without_times(report: Report) -> str:
    """Return what a report says, without what differs each time: how long it took."""
    builtins = msgspec.to_builtins(report)
    return json.dumps({name: value for name, value in builtins.items() if name != "timing"})


@dataclass
class Machines:
    """A scheduler and its workers, and the folder below which each has its own."""

    root: Path
    arguments: Sequence[str] = ()
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_scheduler(self) -> None:
        """Start a scheduler, at the same address if there was one."""
        told = self.root / "scheduler.json"
        told.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] or "0"
        self.scheduler = self._start(
            "scheduler", ["--host", "127.0.0.1", "--port", port, "--scheduler-file", str(told)], {}, ()
        )
        wait_for(lambda: told.exists() and told.read_text().endswith("}"), START_S)
        self.address = json.loads(told.read_text())["address"]

    def start_worker(
        self, host: str = "127.0.0.1", prefix: Sequence[str] = (), nanny: str = "--no-nanny", **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker with a home of its own, and wait until it has joined.

        `host`, one of the loopback's addresses, stands for a machine.
        """
        log = self.root / f"worker{len(self.workers)}.log"
        home = self.root / f"worker{len(self.workers)}"
        home.mkdir()
        temporary = environment.setdefault("TMPDIR", str(short(home / "tmp")))
        places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}
        options = [self.address, "--host", host, "--nthreads", "1", nanny, "--local-directory", temporary]
        worker = self._start("worker", [*options, "--death-timeout", "30"], places | environment, prefix)
        self.workers.append(worker)
        wait_for(lambda: "Registered to" in log.read_text(), START_S)
        return worker

    def grade(self, course: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start `splot grade` of a course on this cluster."""
        return command(course, *GRADE, "--cluster", self.address, *options, **environment)

    def _start(
        self, what: str, options: list[str], environment: dict[str, str], prefix: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        started = [*prefix, sys.executable, "-P", "-m", f"distributed.cli.dask_{what}", "--no-dashboard"]
        inherited = {name: value for name, value in os.environ.items() if name != "SPLOT_SECRET"}
        with (self.root / f"{what}{len(self.workers)}.log").open("ab") as log:
            return subprocess.Popen(
                [*started, *options, *self.arguments],
                cwd=self.root,
                env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
                stdout=log,
                stderr=log,
            )


@contextmanager
def machines(root: Path, *arguments: str) -> Iterator[Machines]:
    """Start a scheduler; at the end it and its workers are killed, with all that they started."""
    root.mkdir(exist_ok=True)
    made = Machines(root, arguments)
    try:
        made.start_scheduler()
        yield made
    finally:
        for process in [made.scheduler, *made.workers]:
            if process is not None:
                left = descendants(process.pid)
                process.kill()
                process.wait()
                for pid in left:
                    with suppress(ProcessLookupError):
                        kill(pid)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Machines]:
    """A scheduler without workers yet."""
    with machines(tmp_path / "cluster") as made:
        yield made


def wait_for_kernel(*workers: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Wait until one of the workers runs a notebook, and return that one."""
    wait_for(lambda: any(sandboxed(worker.pid) for worker in workers))
    return next(worker for worker in workers if sandboxed(worker.pid))
