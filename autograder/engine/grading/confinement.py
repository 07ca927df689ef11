"""What the judge is kept to while it reads what a stranger made: time, memory, and nothing of the machine but files.

The limits are the kernel's own: a judge that overruns its time is ended by SIGALRM wherever it is, C code included.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.engine.grading.task import JudgeLimits

MIB = 2**20
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill")
"""Beginnings of audit events (https://docs.python.org/3/library/audit_events.html): the network, other processes."""


def conceal() -> None:
    """Let no other process of this user trace this one or read its memory, answers included."""
    _prctl(PR_SET_DUMPABLE, 0)


def end_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")


@contextmanager
def confined(limits: JudgeLimits) -> Iterator[None]:
    """Keep this process to the limits for a while; past the time it is ended, past the memory allocations fail."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    own = _address_space() + limits.memory_mb * MIB
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(
        resource.RLIMIT_AS, (own if before[1] == resource.RLIM_INFINITY else min(own, before[1]), before[1])
    )
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    _Guard.on()
    try:
        yield
    finally:
        _Guard.active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int:
    """Bytes of address space that this process has mapped."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


class _Guard:
    """An audit hook that refuses what a judge never needs. A hook cannot be removed, only let rest."""

    installed = False
    active = False

    @classmethod
    def on(cls) -> None:
        if not cls.installed:
            sys.addaudithook(cls.look)
        cls.installed = cls.active = True

    @classmethod
    def look(cls, event: str, _: object) -> None:
        if cls.active and event.startswith(FORBIDDEN):
            raise PermissionError(f"The judge tried {event}.")
