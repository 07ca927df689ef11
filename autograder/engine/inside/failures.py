"""Helpers for recorders: describe a student's exception, limit a call's time, restore random generators."""

import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MAX_TEXT = 1_000
RETRY_S = 0.001
"""Seconds until the next try to stop a call that must not be interrupted where it is."""
AGAIN_S = 0.25
"""Seconds until a call that runs on is stopped again: Python loses an exception in a `__del__`, a call may catch it."""
DO_NOT_INTERRUPT: list[Callable[[FrameType | None], bool]] = []
"""Functions that tell, for the current frame, whether a call must not be interrupted there."""


class DeadlineError(BaseException):
    """Raised inside a call that takes too long; not an `Exception`, so that a bare `except` does not swallow it."""


class MissingNameError(Exception):
    """A name the notebook should define is not there, or is not what it should be."""


def failure(error: BaseException) -> dict[str, Any]:
    """Describe an exception: its class, its message, the line of the notebook's cell where it arose."""
    fault = "error"
    if isinstance(error, DeadlineError):
        fault = "timeout"
    elif isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        fault = "memory"
    elif isinstance(error, MissingNameError):
        fault = "missing"
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if "ipykernel_" in frame.f_code.co_filename]
    return {
        "fault": fault,
        "type": type(error).__name__[:MAX_TEXT],
        "message": str(error)[:MAX_TEXT],
        "line": lines[-1] if lines else None,
    }


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `DeadlineError` in the block when it takes longer than `seconds`, and again if it goes on."""
    ended = False

    def stop(_signal: int, frame: FrameType | None) -> None:
        if ended:
            return
        if any(holds(frame) for holds in DO_NOT_INTERRUPT):
            signal.setitimer(signal.ITIMER_REAL, RETRY_S, AGAIN_S)
            return
        raise DeadlineError(f"{seconds:g} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        ended = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def restored_generators() -> Iterator[None]:
    """Restore the notebook's random generators and gradient mode after the block."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    states = [(random.setstate, random.getstate())]
    if numpy is not None:
        states.append((numpy.random.set_state, numpy.random.get_state()))
    if torch is not None:
        states += [(torch.set_rng_state, torch.get_rng_state()), (torch.set_grad_enabled, torch.is_grad_enabled())]
        if torch.cuda.is_initialized():
            states.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    try:
        yield
    finally:
        for restore, state in states:
            restore(state)
