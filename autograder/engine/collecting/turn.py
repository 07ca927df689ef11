"""One notebook's cells run at a time; the next one's sandbox starts and imports its libraries meanwhile."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Turn:
    """A notebook's turn to run, among those of other processes with the same `lock`.

    Attributes:
        lock: the file that is locked in a turn; the kernel releases it however a process ends.
        begun: the file that is made when the turn has come, for who starts the next process.

    """

    lock: Path
    begun: Path

    @asynccontextmanager
    async def taken(self, meanwhile: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Run the block in turn; if another process has it, do something `meanwhile` and then wait."""
        with self.lock.open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await meanwhile()
                await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
            self.begun.touch()
            yield
