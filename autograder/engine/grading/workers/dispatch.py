"""Hand tasks to a supervisor, so many at a time, and yield their reports as they are done."""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from autograder.engine.errors import GraderError
from autograder.engine.grading.folders import set_aside
from autograder.engine.grading.task import Task
from autograder.engine.report import Report, read_report

POLL_S = 0.2


class Supervisor:
    """A supervisor's process, and the line to it."""

    def __init__(self, lesson: str) -> None:
        self.lesson = lesson
        ours, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                # Safe path: a `torch.py` that lies beside a submission is not to be imported.
                [sys.executable, "-P", "-m", "autograder.engine.grading.workers", lesson],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                # Threads that wait by spinning make each other wait where there are more than cores.
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
                start_new_session=True,  # Ctrl-C is the client's to hear
            )
        self._line = Connection(ours.detach())
        self._run: Path | None = None

    def send(self, number: int, task: Task) -> None:
        """Have a task carried out."""
        self._line.send((number, task))

    def done(self) -> tuple[int, Report | None] | None:
        """Return the number and report of a task that is done; None where none is for now.

        The report is None where it got lost on a full disk. Raises `EOFError` or `OSError` where the supervisor is gone.
        """
        if not self._line.poll(POLL_S):
            return None
        said = self._line.recv()
        if self._run is None:
            self._run = said
            return None
        return said, _taken(self._run / f"{said}.json")

    @property
    def complaint(self) -> str:
        """The last line that its process said before it ended, where it never came to work; else nothing."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        return next((line[:300] for line in reversed(lines) if line.strip()), "") if self._run is None else ""

    def dismiss(self) -> None:
        """End it and all its workers at once."""
        self._line.close()
        if self._run is None:  # still importing, without workers
            self._process.kill()
        self._process.wait()
        self._said.close()


def _taken(path: Path) -> Report | None:
    try:
        report = read_report(path)
        path.unlink()
    except (OSError, msgspec.DecodeError):
        return None
    return report


ENDED = "The grader's own processes were ended; grade this submission again."
LOST = "The report got lost on the way, perhaps on a full disk; make room, then grade this submission again."

Waiting = deque[tuple[int, Task]]
UnderWay = dict[int, Task]

_idle: list[Supervisor] = []
"""Supervisors without a task, kept for the next: importing everything takes seconds."""


def each(tasks: Iterable[Task], at_once: int = 1, stopped: Callable[[], bool] = lambda: False) -> Iterator[Report]:
    """Yield the report of each task as it is done, `at_once` at a time; end early when `stopped` says so.

    Whoever stops in the middle, by closing the generator too, ends what is under way. Raises `GraderError` where no
    supervisor can be started.
    """
    waiting: Waiting = deque(enumerate(tasks))
    while waiting and not stopped():
        lesson = waiting[0][1].assignment.lesson
        supervisor = next((idle for idle in _idle if idle.lesson == lesson), None) or Supervisor(lesson)
        _idle[:] = [idle for idle in _idle if idle is not supervisor]
        under_way: UnderWay = {}
        ended = True
        try:
            yield from _served(supervisor, waiting, under_way, at_once, stopped)
            ended = bool(under_way)
        except (EOFError, OSError) as error:
            if supervisor.complaint:
                raise GraderError(f"The grader did not start: {supervisor.complaint}.") from error
        finally:
            supervisor.dismiss() if ended else _idle.append(supervisor)
        if not stopped():
            yield from [set_aside(task, ENDED) for task in under_way.values()]


def _served(
    supervisor: Supervisor, waiting: Waiting, under_way: UnderWay, at_once: int, stopped: Callable[[], bool]
) -> Iterator[Report]:
    """Keep a supervisor busy; raises `EOFError` or `OSError` where it is gone."""
    while (waiting or under_way) and not stopped():
        while waiting and len(under_way) < at_once:
            number, task = waiting.popleft()
            under_way[number] = task
            supervisor.send(number, task)
        done = supervisor.done()
        if done is not None:
            number, report = done
            yield report or set_aside(under_way[number], LOST)
            del under_way[number]


@atexit.register
def _dismiss() -> None:
    while _idle:
        _idle.pop().dismiss()
