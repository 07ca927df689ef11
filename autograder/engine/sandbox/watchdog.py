"""The watchdog: a thread that measures a kernel's whole process tree and kills it when it exceeds a limit.

RLIMIT_AS holds for one process: eight of them may take eight times as much, and shared mappings escape RLIMIT_DATA. So the
tree's memory is summed from outside, five times a second; what it may pass the limit by is what it can fill in that time.
Threads that changed their CPU affinity are set back as well.

Where this machine gives a memory cgroup (version 2), that holds as well: the kernel counts every page that the sandbox
causes, its own included, and ends the sandbox at its limit. One is used only where a trial held: a child group was made, and
a process in it that took more than the group's limit was ended. https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import math
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from autograder.engine.files import FOLDER
from autograder.engine.report import SandboxKind
from autograder.engine.sandbox.processes import (
    descendants,
    free_memory,
    has_ended,
    memory_in_use,
    min_free_memory,
    pin_to_cores,
)
from autograder.engine.sandbox.sandbox import Limits, Sandbox

INTERVAL_S = 0.2
GONE_S = 20.0
DEEPEST = 16
"""Levels of folders in the outbox; following thousands of them would take the watchdog's time."""
MIB = 2**20
CGROUPS = Path("/sys/fs/cgroup")
ENTER = ("sh", "-c", 'echo $$ > "$0" && exec "$@"')
TRIAL_BYTES = 64 * MIB
TRIAL_S = 20.0


class MemoryGroup:
    """One cgroup below `parent`, with a limit; `close` ends what is left in it and removes it."""

    def __init__(self, parent: Path, limit: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="splot-", dir=parent))
        try:
            self._write("memory.max", limit)
            for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1)):
                with suppress(OSError):  # a kernel without swap, or an old one
                    self._write(name, value)
        except OSError:
            self.close()
            raise

    def _write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(f"{value}\n", "ascii")

    def in_group(self, argv: list[str]) -> list[str]:
        """Return a command line that joins the group and then executes `argv`, so that every child is in the group."""
        return [*ENTER, str(self.folder / "cgroup.procs"), *argv]

    def oom_killed(self) -> bool:
        """Return whether the kernel killed a process in the group for exceeding the memory limit."""
        with suppress(OSError):
            lines = (self.folder / "memory.events").read_text("ascii").splitlines()
            return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
        return False

    def close(self) -> None:
        """Kill what is left in the group and remove it; a group that is still busy stays, empty."""
        with suppress(OSError):
            self._write("cgroup.kill", 1)
        with suppress(OSError):
            self.folder.rmdir()


@cache
def parent_group() -> tuple[Path | None, str]:
    """Find the cgroup in which sandboxes get theirs, and say in a sentence what was found; tried once per process."""
    why = "No cgroup (version 2) with a memory controller can be changed here."
    for parent in _candidates(CGROUPS, Path("/proc/self/cgroup")):
        try:
            if limit_holds(parent):
                return parent, "A memory cgroup."
            why = "A memory cgroup could be made, but did not hold."
        except OSError as error:
            why = f"No memory cgroup can be made here ({error.strerror})."
    return None, why


def _candidates(mount: Path, own: Path) -> Iterator[Path]:
    """Yield the cgroups whose children have a memory controller: the parent of our own, and our own."""
    with suppress(OSError):
        for line in own.read_text("utf-8").splitlines():
            here = mount / line.removeprefix("0::/")
            for place in (here.parent, here) if line.startswith("0::/") else ():
                with suppress(OSError):
                    controllers = (place / "cgroup.subtree_control").read_text("ascii").split()
                    if place.is_relative_to(mount) and "memory" in controllers:
                        yield place


def limit_holds(parent: Path) -> bool:
    """Test that a process over its group's limit is killed; raises `OSError` if no group can be made."""
    group = MemoryGroup(parent, TRIAL_BYTES)
    try:
        code = f"held = bytearray({4 * TRIAL_BYTES})"
        command = group.in_group([sys.executable, "-I", "-S", "-c", code])
        done = subprocess.run(command, check=False, capture_output=True, timeout=TRIAL_S)  # noqa: S603 - our own
        return done.returncode != 0 and group.oom_killed()
    except subprocess.TimeoutExpired:
        return False
    finally:
        group.close()


def new_group(limit: int) -> MemoryGroup | None:
    """Make a group with a limit in bytes; None if this machine allows none, so that only the watchdog limits memory."""
    parent, _ = parent_group()
    return MemoryGroup(parent, limit) if parent is not None else None


def memory_guard() -> str:
    """Return what enforces the memory limit on this machine: "cgroup" or "watchdog"."""
    return "watchdog" if parent_group()[0] is None else "cgroup"


class Cause(StrEnum):
    """Why a kernel ended without being asked to."""

    MEMORY = "memory"
    DISK = "disk"
    EXITED = "exited"
    KILLED = "killed"
    TAMPERED = "tampered"
    OUTSIDE = "outside"
    """The sandbox was ended from outside; no process inside can do that."""
    SHORTAGE = "shortage"
    """This machine ran out of memory while the sandbox was within its own limit."""


@dataclass(frozen=True, slots=True)
class Death:
    """Why and how one kernel ended.

    Attributes:
        cause: what ended it.
        number: MiB measured for memory and disk, MiB that the machine had left for shortage (0 when its own
            out-of-memory killer struck), the exit status for exited, the signal for killed.

    """

    cause: Cause
    number: int


class Watchdog:
    """Watches one kernel's process from its start; `verdict` says why it had to be ended."""

    def __init__(self, process: subprocess.Popen[bytes], sandbox: Sandbox, group: MemoryGroup | None = None) -> None:
        self.verdict: Death | None = None
        self._process = process
        self._sandbox = sandbox
        self._group = group
        self._struck = False
        self._tree: list[int] = []
        self._out_of_memory_kills = _out_of_memory_kills()
        threading.Thread(target=self._watch, name="splot-watchdog", daemon=True).start()

    def death(self) -> Death | None:
        """Why the process ended; None while it lives."""
        status = self._process.poll()
        if self.verdict is not None or status is None:
            return self.verdict
        if self._struck or (self._group is not None and self._group.oom_killed()):
            self._struck = True  # kept, since the group is removed
            return Death(Cause.MEMORY, self._sandbox.limits.memory_mb)
        if status < 0 and self._sandbox.kind is SandboxKind.BWRAP:
            return Death(Cause.OUTSIDE, -status)
        number = -status if status < 0 else status - 128  # a shell and bubblewrap report a signal as 128 + n
        if number not in set(signal.Signals):
            return Death(Cause.EXITED, status)
        if number == signal.SIGKILL and _out_of_memory_kills() > self._out_of_memory_kills:
            return Death(Cause.SHORTAGE, 0)
        return Death(Cause.KILLED, number)

    def note_processes(self) -> None:
        """Record the tree's processes, so that `wait_until_gone` can wait for them."""
        self._tree = descendants(self._process.pid) if self._process.poll() is None else self._tree

    def wait_until_gone(self) -> None:
        """Wait until all recorded processes have ended; hundreds of killed processes take seconds."""
        deadline = time.monotonic() + GONE_S
        while not all(has_ended(pid) for pid in self._tree):
            if time.monotonic() > deadline:
                return
            time.sleep(INTERVAL_S / 10)

    def _watch(self) -> None:
        while self.verdict is None:
            try:
                self._process.wait(INTERVAL_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
            try:
                self.verdict = self._excess()
            except OSError:  # a tree that cannot be measured is killed
                self.verdict = Death(Cause.TAMPERED, 0)
        self._process.kill()

    def _excess(self) -> Death | None:
        limits = self._sandbox.limits
        self.note_processes()
        if self._group is not None and self._group.oom_killed():  # an old kernel kills only one process
            return Death(Cause.MEMORY, limits.memory_mb)
        if self._sandbox.cores:
            pin_to_cores(self._sandbox.cores, self._process.pid)
        most = limits.memory_mb * MIB
        memory = memory_in_use(self._process.pid, most)
        if memory > most:  # measured again: a child that has yet to `exec` shows its parent's memory
            memory = min(memory, memory_in_use(self._process.pid, most))
        if memory > most:
            return Death(Cause.MEMORY, memory // MIB)
        if (left := free_memory()) < min_free_memory():
            return Death(Cause.SHORTAGE, left // MIB)
        written = written_bytes(self._sandbox, limits)
        if written > limits.outbox_mb * MIB:
            return Death(Cause.DISK, int(written) // MIB)
        if not only_sockets(self._sandbox.ipc):
            return Death(Cause.TAMPERED, 0)
        return None


def only_sockets(folder: Path) -> bool:
    """Return whether a folder holds only sockets: a link instead of one would redirect the grader's messages."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed meanwhile
                if not stat.S_ISSOCK(Path(entry.path).lstat().st_mode):
                    return False
    return True


def written_bytes(sandbox: Sandbox, limits: Limits) -> float:
    """Sum the bytes on disk of all that the sandbox can write to the host.

    Counting ends at `limits`: more files than allowed, deeper folders, or some that cannot be looked into, count as one
    byte too many.
    """
    too_much = limits.outbox_mb * MIB + 1
    total, files = float(sandbox.log.lstat().st_blocks * 512), 0
    for folder in (sandbox.outbox, sandbox.ipc):
        for size in _sizes(folder, None, DEEPEST):
            total, files = total + size, files + 1
            if total >= too_much or files > limits.outbox_files:
                return too_much
    return total


def _sizes(name: str | Path, parent: int | None, levels: int) -> Iterator[float]:
    """Yield the bytes on disk of each entry below a folder, by descriptors: no link that appears meanwhile is followed."""
    try:
        folder = os.open(name, FOLDER, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):  # changed meanwhile; the next round finds what it became
        return
    except OSError:
        yield math.inf
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.name, folder, levels - 1) if levels else (math.inf,)
    finally:
        os.close(folder)


def _out_of_memory_kills() -> int:
    """Count the processes that the machine's own out-of-memory killer ended since it started."""
    found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text("ascii"), re.MULTILINE)
    return int(found[1]) if found else 0
