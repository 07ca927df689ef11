"""Takes note of Ctrl-C and SIGTERM, so that work can end in good order where it checks for them.

An exception raised out of a signal handler gets lost where Python cannot pass it on (in `__del__`, in a callback of C
code), and where a library takes it for its own: asyncio cancels, and nbclient takes a cancelled cell for a dead kernel.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal asked to stop: call it; `number` is that signal."""

    number: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """What a shell calls the end by that signal."""
        return 128 + (self.number or 0)

    def note(self, number: int, _: FrameType | None) -> None:
        """Take note of a signal, as its handler."""
        self.number = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take note of the signals inside the block instead of being ended by them; for a process's main thread."""
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.note) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
