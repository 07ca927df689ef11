"""Memory that no process's size shows is counted, or cannot be made; and a machine's shortage is nobody's fault."""

import threading
import time
from pathlib import Path
from typing import Self

import pytest
from nbclient.exceptions import DeadKernelError

from autograder.engine.sandbox import Cause, Limits
from autograder.engine.sandbox.processes import MIB, free_memory
from tests.engine.sandboxed_kernel import needs_bubblewrap, opened
from tests.submissions.hostile.attack import IMPORTS
from tests.submissions.hostile.unseen import FOUND, QUICK

pytestmark = needs_bubblewrap
LIMITS = Limits(memory_mb=1024, processes=160, tmp_mb=96, file_mb=96)
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak) for name in FOUND]


class Lowest:
    """The least memory that the machine had left, looked at a hundred times a second."""

    def __enter__(self) -> Self:
        self.start = self.least = free_memory()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            self.least = min(self.least, free_memory())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def taken_mb(self) -> int:
        """How much less it was than at first."""
        return (self.start - self.least) // MIB


@pytest.mark.parametrize("name", NAMES)
def test_memory_that_no_size_shows_ends_within_its_limit(tmp_path: Path, name: str) -> None:
    """A dead first thread, sockets, page tables, pipes, locks, areas: told as memory."""
    with opened(tmp_path, limits=LIMITS) as kernel, Lowest() as lowest:
        started = time.monotonic()
        with pytest.raises(DeadKernelError):
            kernel.run(
                IMPORTS.replace("import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n", "")
                + FOUND[name]
            )
        took, found = time.monotonic() - started, kernel.death()
    print(f"{name}: {found} after {took:.1f} s, {lowest.taken_mb} MiB less on the machine")  # noqa: T201 - a figure: other programs take memory too
    assert found is not None
    assert found.cause is Cause.MEMORY
