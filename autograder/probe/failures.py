"""What every part of the probe shares: how a student's exception is written down, deadlines, untouched generators."""

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import numpy as np
import torch

from .observe import is_watching

TEXT = 1_000
AGAIN = 0.001  # seconds until the next try to stop a call


class DeadlineError(BaseException):
    """Raised inside a call that takes too long; not an `Exception`, so that a bare `except` does not swallow it."""


class AbsentError(Exception):
    """A name the notebook should define is not there, or is not what it should be."""


def failure(error: BaseException) -> dict[str, Any]:
    """Describe an exception: its class, its message, the line of the notebook's cell where it arose."""
    fault = "error"
    if isinstance(error, DeadlineError):
        fault = "timeout"
    elif isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        fault = "memory"
    elif isinstance(error, AbsentError):
        fault = "missing"
    return {
        "fault": fault,
        "type": type(error).__name__[:TEXT],
        "message": str(error)[:TEXT],
        "line": _line(error.__traceback__),
    }


def _line(traceback: TracebackType | None) -> int | None:
    """Return the line of the innermost frame that belongs to a notebook cell."""
    line = None
    while traceback is not None:
        if "ipykernel_" in traceback.tb_frame.f_code.co_filename:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `DeadlineError` in the block when it takes longer than `seconds`."""

    def stop(_signal: int, frame: FrameType | None) -> None:
        if is_watching(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
            return
        raise DeadlineError(f"{seconds:g} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def restored_generators() -> Iterator[None]:
    """Leave the notebook's random generators and gradient mode as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state(), torch.is_grad_enabled()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002 - the student's own generator, put back as it was
        torch.set_rng_state(states[2])
        torch.set_grad_enabled(states[3])
