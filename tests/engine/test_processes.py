"""When a process has ended: a zombie has, a process whose first thread alone has ended has not."""

import os
import subprocess
import sys

from autograder.engine.sandbox.processes import PROC, has_ended
from tests.engine.interrupted_runs import wait_for

FIRST_THREAD_ENDS = """
import ctypes, platform, sys, threading
threading.Thread(target=sys.stdin.read).start()
EXIT = 60 if platform.machine() == "x86_64" else 93
ctypes.CDLL(None).syscall(EXIT, 0)  # exit(2) ends this thread alone
"""


def state(pid: int) -> str:
    """Return the state that the kernel shows of a process, its first thread's."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]


def test_a_zombie_has_ended() -> None:
    """Its parent has not asked for it, so it is still listed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert not has_ended(process.pid)
    process.stdin.close()
    wait_for(lambda: state(process.pid) == "Z")
    assert has_ended(process.pid)
    process.wait()
    assert has_ended(process.pid)


def test_a_process_lives_as_long_as_one_of_its_threads() -> None:
    """It is shown as a zombie all the same."""
    process = subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE)
    wait_for(lambda: state(process.pid) == "Z")
    assert not has_ended(process.pid)
    process.communicate()
    assert has_ended(process.pid)


def test_this_process_has_not_ended() -> None:
    """Nor has the first one."""
    assert not has_ended(os.getpid())
    assert not has_ended(1)
