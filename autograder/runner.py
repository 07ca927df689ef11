"""Run a notebook's cells one by one in a room, each within its time, and say how each one ended.

nbclient does the talking; what is ours is what happens when a cell does not end well: it is interrupted, and only if
the kernel does not recover does the kernel have to die.
"""

import json
import re
import time
from contextlib import suppress
from queue import Empty
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from zmq import ZMQError

from autograder.errors import GraderError
from autograder.evidence import CellRun, Failure, Fault
from autograder.sandbox import Cause, Room, death, kernel_manager

READY_S = 60.0
RECOVERY_S = 5.0
POLL_S = 0.2
MAX_OUTPUT = 5_000_000  # bytes of one cell
MAX_OUTPUTS = 40_000_000  # of the whole notebook
TEXT = 1_000
LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NONSENSE = "the kernel sent messages that are not Jupyter's"
NO_MEMORY = re.compile(r"can't allocate memory|Unable to allocate|not enough memory", re.IGNORECASE)


class BoundedClient(NotebookClient):
    """An nbclient that keeps at most so much output, and shrugs at messages that are not Jupyter's."""

    kept = 0
    kept_before = 0

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process a message of the kernel, which may be anything: the student's code holds the signing key."""
        try:
            self.kept += len(json.dumps(msg["content"], ensure_ascii=False, default=str).encode("utf-8", "replace"))
        except (KeyError, TypeError, ValueError, RecursionError):
            return None
        full = self.kept > MAX_OUTPUT or self.kept + self.kept_before > MAX_OUTPUTS
        if full and msg.get("msg_type") != "status":
            return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception:  # noqa: BLE001 - a malformed message is dropped, not obeyed
            return None


class Runner:
    """A kernel in a room, and the notebook that runs in it."""

    def __init__(self, notebook: NotebookNode, room: Room) -> None:
        self.notebook = notebook
        self.room = room
        self._manager: AsyncKernelManager | None = None
        self._client: BoundedClient | None = None
        self._kept = 0

    async def start(self, first: str) -> None:
        """Start a fresh kernel and run `first` in it, before anything of the notebook."""
        await self.stop()
        self.room.clean()
        self._manager = kernel_manager(self.room)
        self._client = BoundedClient(
            self.notebook, km=self._manager, allow_errors=True, raise_on_iopub_timeout=False, iopub_timeout=2
        )
        try:
            await self._client.async_start_new_kernel()
            await self._client.async_start_new_kernel_client()
        except RuntimeError as error:
            raise GraderError(f"The notebook's kernel did not start: {self._said() or error}.") from error
        if await self.ask(first, READY_S) is not None:
            raise GraderError(f"The notebook's kernel did not answer: {self._said() or 'no reason given'}.")

    def _said(self) -> str:
        """Return the last line the kernel's process wrote outside any cell."""
        lines = self.room.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    async def stop(self) -> None:
        """End the kernel and everything it started."""
        if self._client is not None and self._client.kc is not None:
            self._client.kc.stop_channels()
        if self._manager is not None and self._manager.has_kernel:
            with suppress(RuntimeError, ZMQError):  # a kernel that never answered has lost its sockets already
                await self._manager.shutdown_kernel(now=True)
        self._manager = self._client = None

    async def run(self, index: int, seconds: float) -> CellRun:
        """Run one cell of the notebook within its time."""
        client = self._client
        assert client is not None
        cell = self.notebook.cells[index]
        client.timeout = max(1, round(seconds))
        client.kept_before, client.kept = self._kept, 0
        started = time.monotonic()
        failure = await self._execute(client, index, seconds)
        self._kept += min(client.kept, MAX_OUTPUT)
        taken = round(time.monotonic() - started, 3)
        return CellRun(index, cell.metadata.get("grade_id"), taken, failure, _images(cell))

    async def _execute(self, client: BoundedClient, index: int, seconds: float) -> Failure | None:
        cell = self.notebook.cells[index]
        try:
            await client.async_execute_cell(cell, index)
        except CellTimeoutError:
            await self._interrupt()
            return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")
        except DeadKernelError:
            return self._death()
        except Exception as error:  # noqa: BLE001 - a kernel that talks nonsense: its code holds the signing key
            await self.stop()
            return Failure(Fault.DIED, "", f"{NONSENSE} ({type(error).__name__})")
        return _raised(cell)

    async def ask(self, code: str, seconds: float) -> Failure | None:
        """Run our own line in the kernel; return what came of it where it did not end well."""
        assert self._client is not None
        assert self._client.kc is not None
        client = self._client.kc
        message = client.execute(code, silent=True, store_history=False, allow_stdin=False)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                reply = await client.shell_channel.get_msg(timeout=POLL_S)
                if reply["parent_header"].get("msg_id") == message:
                    return _refused(reply["content"])
            except Empty:
                if not await self.alive():
                    return self._death()
            except Exception as error:  # noqa: BLE001 - likewise
                await self.stop()
                return Failure(Fault.DIED, "", f"{NONSENSE} ({type(error).__name__})")
        await self._interrupt()
        return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")

    async def alive(self) -> bool:
        """Whether there is a kernel."""
        return self._manager is not None and bool(await self._manager.is_alive())

    async def _interrupt(self) -> None:
        """Interrupt what runs; a kernel that does not come back to its senses is ended."""
        assert self._manager is not None
        assert self._client is not None
        assert self._client.kc is not None
        try:
            await self._manager.interrupt_kernel()
            message = self._client.kc.execute("", silent=True, store_history=False)
            deadline = time.monotonic() + RECOVERY_S
            while time.monotonic() < deadline:
                with suppress(Empty):
                    reply = await self._client.kc.shell_channel.get_msg(timeout=POLL_S)
                    if reply["parent_header"].get("msg_id") == message:
                        return
        except Exception:  # noqa: BLE001, S110 - whatever it answered, it is not well
            pass
        await self.stop()

    def _death(self) -> Failure:
        """Say why the kernel died."""
        why = death(self._manager) if self._manager is not None else None
        if why is not None and why.cause is Cause.MEMORY:
            limit = self.room.limits.memory_mb
            return Failure(Fault.MEMORY, "", f"{limit} MB")
        return Failure(Fault.DIED, "", str(why or "").removesuffix("."))


def _refused(content: dict[str, Any]) -> Failure | None:
    if content.get("status") == "ok":
        return None
    return Failure(Fault.ERROR, _text(content.get("ename")), _text(content.get("evalue")))


def _text(value: object) -> str:
    """Return what a kernel said as text that can be written: half surrogates cannot."""
    return str(value)[:TEXT].encode("utf-8", "replace").decode()


def _raised(cell: NotebookNode) -> Failure | None:
    """Describe the exception a cell ended with, from its last output."""
    last = next((output for output in reversed(cell.outputs) if output.output_type == "error"), None)
    if last is None:
        return None
    traceback = ANSI.sub("", "\n".join(str(line) for line in last.get("traceback", ())))
    lines = LINE.findall(traceback)
    message = _text(last.get("evalue"))
    memory = last.get("ename") == "MemoryError" or NO_MEMORY.search(message)
    return Failure(
        Fault.MEMORY if memory else Fault.ERROR,
        _text(last.get("ename")),
        message,
        int(lines[-1]) if lines else None,
    )


def _images(cell: NotebookNode) -> int:
    """Count the pictures a cell shows."""
    return sum(any(kind.startswith("image/") for kind in output.get("data", {})) for output in cell.get("outputs", ()))
