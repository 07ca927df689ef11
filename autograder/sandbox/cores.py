"""Cores of one's own: a sandbox that has neighbours stays on as many cores as it was given.

Wall time is limited, so this limits CPU time too: however many threads spin, a neighbour keeps its share.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from autograder.sandbox.tree import descendants, threads

CLAIM = "splot-core"


@contextmanager
def claimed(count: int) -> Iterator[tuple[int, ...]]:
    """Claim `count` of this process's cores from all other graders of the machine; empty where too few are free.

    A claim is an abstract socket named after the core: no file is left over, and the kernel takes it back whatever
    becomes of the grader.
    """
    with ExitStack() as stack:
        mine: list[int] = []
        for core in sorted(os.sched_getaffinity(0)):
            if len(mine) < count:
                with suppress(OSError):  # another grader's
                    claim = stack.enter_context(socket.socket(socket.AF_UNIX))
                    claim.bind(f"\0{CLAIM}-{core}")
                    mine.append(core)
        if len(mine) < count:
            stack.close()
            mine = []
        yield tuple(mine)


def keep_to(cores: tuple[int, ...], pid: int) -> None:
    """Put back every thread of a tree that chose other cores.

    The call that chooses cannot be refused inside: torch counts the machine's cores with it.
    """
    for process in descendants(pid):
        for thread in threads(process):
            with suppress(OSError):  # it ended while we looked
                if not os.sched_getaffinity(thread) <= set(cores):
                    os.sched_setaffinity(thread, cores)
