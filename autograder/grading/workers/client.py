"""The client's side of the line: a supervisor's process, what is sent to it and what comes back."""

import os
import socket
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from autograder.grading.task import Task
from autograder.report import Report, read_report

POLL_S = 0.2


class Supervisor:
    """A supervisor's process, and the line to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            self._process = subprocess.Popen(
                # Safe path: a `torch.py` that lies beside a submission is not to be imported.
                [sys.executable, "-P", "-m", "autograder.grading.workers"],
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
