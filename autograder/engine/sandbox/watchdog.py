"""The watchdog: a thread that measures a kernel's whole process tree, and ends it when it takes too much.

RLIMIT_AS holds for one process: eight of them may take eight times as much, and shared mappings escape RLIMIT_DATA.
A memory cgroup would hold for the tree, but an unprivileged grader can seldom make one. So the tree's memory is summed
from outside, five times a second; what it may pass the limit by is what it can fill in that time. By the way, what left
the cores it was given is put back on them.
"""

import math
import os
import re
import signal
import stat
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.engine.deletion import FOLDER
from autograder.engine.sandbox.cgroup import MemoryGroup
from autograder.engine.sandbox.processes import PROC, available, descendants, floor, keep_to, memory_in_use
from autograder.engine.sandbox.room import Limits, Room, SandboxKind

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL_S = 0.2
GONE_S = 20.0
DEEPEST = 16
"""Levels of folders in the outbox; following thousands of them would take the watchdog's time."""
MIB = 2**20


class Cause(StrEnum):
    """Why a kernel ended without being asked to."""

    MEMORY = "memory"
    DISK = "disk"
    EXITED = "exited"
    KILLED = "killed"
    TAMPERED = "tampered"
    OUTSIDE = "outside"
    """Somebody, or this machine, ended the sandbox itself, which nothing inside can do."""
    SHORTAGE = "shortage"
    """This machine ran out of memory while the sandbox was within its own limit."""


@dataclass(frozen=True, slots=True)
class Death:
    """One kernel's end.

    Attributes:
        cause: what ended it.
        number: MiB measured for memory and disk, MiB that the machine had left for shortage (0 when its own
            out-of-memory killer struck), the exit status for exited, the signal for killed.

    """

    cause: Cause
    number: int


class Watchdog:
    """Watches one kernel's process from its start; `verdict` says why it had to be ended."""

    def __init__(self, process: subprocess.Popen[bytes], room: Room, group: MemoryGroup | None = None) -> None:
        self.verdict: Death | None = None
        self._process = process
        self._room = room
        self._group = group
        self._struck = False
        self._tree: list[int] = []
        self._out_of_memory_kills = _out_of_memory_kills()
        self._thread = threading.Thread(target=self._watch, name="splot-watchdog", daemon=True)
        self._thread.start()

    def death(self) -> Death | None:
        """Why the process ended; None while it lives."""
        status = self._process.poll()
        if self.verdict is not None or status is None:
            return self.verdict
        if self._struck or (self._group is not None and self._group.struck()):
            self._struck = True  # the group goes, the verdict stays
            return Death(Cause.MEMORY, self._room.limits.memory_mb)
        if status < 0 and self._room.kind is SandboxKind.BWRAP:
            return Death(Cause.OUTSIDE, -status)
        number = -status if status < 0 else status - 128  # a shell and bubblewrap report a signal as 128 + n
        if number not in set(signal.Signals):
            return Death(Cause.EXITED, status)
        if number == signal.SIGKILL and _out_of_memory_kills() > self._out_of_memory_kills:
            return Death(Cause.SHORTAGE, 0)
        return Death(Cause.KILLED, number)

    def look(self) -> None:
        """Take note of the tree's processes, so that their end can be waited for."""
        self._tree = descendants(self._process.pid) if self._process.poll() is None else self._tree

    def wait_until_gone(self) -> None:
        """Wait until the tree, as it was last seen, is gone: what was killed takes its time, hundreds of them seconds."""
        deadline = time.monotonic() + GONE_S
        while any((PROC / str(pid)).exists() for pid in self._tree if pid != self._process.pid):
            if time.monotonic() > deadline:
                return
            time.sleep(INTERVAL_S / 10)

    def _watch(self) -> None:
        while True:
            try:
                self._process.wait(INTERVAL_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
            if self._to_be_ended():
                self._process.kill()
                return

    def _to_be_ended(self) -> bool:
        try:
            self.verdict = self._excess()
        except OSError:  # what cannot be measured is not left running
            self.verdict = Death(Cause.TAMPERED, 0)
        return self.verdict is not None

    def _excess(self) -> Death | None:
        limits = self._room.limits
        self.look()
        if self._group is not None and self._group.struck():  # a kernel too old to end the whole group at once
            return Death(Cause.MEMORY, limits.memory_mb)
        if self._room.cores:
            keep_to(self._room.cores, self._process.pid)
        if (memory := self._memory(limits.memory_mb * MIB)) > limits.memory_mb * MIB:
            return Death(Cause.MEMORY, memory // MIB)
        if (left := available()) < floor():
            return Death(Cause.SHORTAGE, left // MIB)
        written = written_bytes(self._room, limits)
        if written > limits.outbox_mb * MIB:
            return Death(Cause.DISK, int(written) // MIB)
        if not only_sockets(self._room.ipc):
            return Death(Cause.TAMPERED, 0)
        return None

    def _memory(self, limit: int) -> int:
        """Measure, and again where it seems too much: a child that has yet to `exec` shows its parent's memory."""
        found = memory_in_use(self._process.pid, limit)
        return found if found <= limit else min(found, memory_in_use(self._process.pid, limit))


def only_sockets(folder: Path) -> bool:
    """Tell whether a folder holds nothing else: a link in a socket's place would lead the grader's messages astray."""
    with os.scandir(folder) as entries:
        return all(_is_socket(Path(entry.path)) for entry in entries)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:  # removed while we looked
        return True


def written_bytes(room: Room, limits: Limits) -> float:
    """Sum the bytes on disk of all that the sandbox can write to the host.

    Counting ends at `limits`: more files than allowed, deeper folders, or some that cannot be looked into, count as one
    byte too many.
    """
    too_much = limits.outbox_mb * MIB + 1
    total, files = float(room.log.lstat().st_blocks * 512), 0
    for folder in (room.outbox, room.ipc):
        for size in _sizes(folder, None, DEEPEST):
            total, files = total + size, files + 1
            if total >= too_much or files > limits.outbox_files:
                return too_much
    return total


def _sizes(name: str | Path, parent: int | None, levels: int) -> "Iterator[float]":
    """Yield the bytes on disk of each entry below a folder, by descriptors: no link that appears meanwhile is followed."""
    try:
        folder = os.open(name, FOLDER, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):  # changed while we looked; the next look finds what it became
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
