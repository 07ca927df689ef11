"""Runs a command and measures everything that it starts: wall time, processor time, memory, by /proc.

The operating system tells a parent nothing of the processes that a sandbox kills at its end, so that getrusage(2) misses a
student's whole training. So the tree is looked at again and again, and what ended between two looks is taken from what its
parent reaped.
"""

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from autograder.engine.sandbox.processes import descendants

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LOOK_S, MEMORY_S, FIRST_S = 0.2, 1.0, 10.0
"""Seconds between two looks at the processes, and at their memory, which takes longer to read; and what is early."""
PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h: what a command leaves behind becomes our child."""


class Usage(msgspec.Struct, frozen=True):
    """What a command and all below it used.

    `memory` has seconds since the start, MB of all, MB of the processes that were there in the first ten seconds: proportional
    sizes (PSS), so that a shared page counts once. What lies in a sandbox's in-memory file systems is not in it. `first_cpu_s` is
    the processor time of those of them that stayed for half of the time: of `splot grade` the command and its fork server.
    """

    exit_code: int
    wall_s: float
    cpu_s: float
    memory: tuple[tuple[float, float, float], ...] = ()
    first_cpu_s: float = 0.0

    @property
    def peak_mb(self) -> float:
        """The highest that was seen."""
        return max((mb for _, mb, _ in self.memory), default=0.0)


@dataclass(slots=True)
class _Seen:
    """A process as it was last seen, and when: its parent, its own processor seconds, those of the children it reaped."""

    parent: int
    own: float
    reaped: float
    at: float


@dataclass(slots=True)
class _Tree:
    """All processes below this one that were ever seen."""

    before: float
    seen: dict[tuple[int, int], _Seen] = field(default_factory=dict)
    first: set[tuple[int, int]] = field(default_factory=set)

    def megabytes(self, alive: list[int]) -> tuple[float, float]:
        """Return what all hold, and what the first ones hold."""
        held = {pid: _megabytes(pid) for pid in alive}
        return round(sum(held.values()), 1), round(sum(held.get(pid, 0.0) for pid, _ in self.first), 1)

    def look(self) -> list[int]:
        """Note what every process has used; return those that there are."""
        alive = descendants(os.getpid())[1:]
        for pid in alive:
            with suppress(OSError):  # it ended meanwhile
                after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                own, reaped = (sum(map(int, after_name[i : i + 2])) * TICK_S for i in (11, 13))
                self.seen[pid, int(after_name[19])] = _Seen(int(after_name[1]), own, reaped, time.perf_counter())
        return alive

    def reap(self, alive: list[int], but: int) -> None:
        """Let go of what the command left behind and what has ended since; Popen reaps its own child."""
        orphans = {pid for (pid, _), process in self.seen.items() if process.parent == os.getpid()} & set(alive)
        for pid in orphans - {but}:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def cpu_s(self) -> float:
        """What was seen of each process, and what a parent reaped of its children beyond what was seen of them."""
        children: dict[int, float] = {}
        for process in self.seen.values():
            children[process.parent] = children.get(process.parent, 0.0) + process.own + process.reaped
        reaped = {pid: process.reaped for (pid, _), process in self.seen.items()}
        reaped[os.getpid()] = _of_children() - self.before
        unseen = sum(max(0.0, seconds - children.get(pid, 0.0)) for pid, seconds in reaped.items())
        return sum(process.own for process in self.seen.values()) + unseen


def run_measured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, most_s: float | None = None
) -> Usage:
    """Run a command in `folder` to its end, with its output in `log`; interrupt it after `most_s`.

    Nothing else may be started by this process meanwhile.
    """
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("prctl failed")
    tree, memory, start = _Tree(_of_children()), [], time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output
        )
        measured, ended = 0.0, None
        try:
            while True:
                alive, now = tree.look(), time.perf_counter() - start
                if now - measured >= MEMORY_S:
                    memory.append((round(now, 1), *tree.megabytes(alive)))
                    measured = now
                if now < FIRST_S:
                    tree.first |= tree.seen.keys()
                if ended is None and process.poll() is not None:
                    ended = now
                if ended is not None and (not alive or now > ended + 5):
                    break
                if most_s is not None and now > most_s and ended is None:
                    process.send_signal(signal.SIGINT)
                    most_s = None
                tree.reap(alive, process.pid)
                time.sleep(LOOK_S)
        finally:
            if process.poll() is None:  # this command itself was stopped
                process.send_signal(signal.SIGINT)
    stayed = (tree.seen[key] for key in tree.first if tree.seen[key].at > start + ended / 2)
    first = sum(process.own for process in stayed)
    return Usage(process.returncode, ended, tree.cpu_s(), tuple(memory), first)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _megabytes(pid: int) -> float:
    """Return the proportional size of a process; 0 where it has ended."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
    return 0.0
