"""Run a notebook's cells one by one in a room, each within its time, and say how each one ended.

nbclient does the talking; what is ours is what happens when a cell does not end well: it is interrupted, and only if
the kernel does not recover does the kernel have to die.
"""

import asyncio
import re
import resource
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode
from zmq import ZMQError

from autograder.engine.collecting.kept import Kept
from autograder.engine.errors import GraderError
from autograder.engine.evidence import CellRun, Failure, Fault
from autograder.engine.inside import CUT
from autograder.engine.sandbox import Cause, Sandbox, death, kernel_manager, left_out

MIB = 2**20
COLLECTING_MB = 2048
"""Address space, in MiB, beyond what the process starts with."""


@contextmanager
def bounded_memory(mb: int = COLLECTING_MB) -> Iterator[None]:
    """Keep this process to so much more address space; raises `GraderError` where it was not enough.

    That is no loss of points: what fails for want of it is ours, and a person has to look.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    own = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize() + mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (own if soft == resource.RLIM_INFINITY else min(own, soft), hard))
    try:
        yield
    except MemoryError as error:
        said = f"What came out of the sandbox did not fit into {mb} MiB; a person must look at this submission."
        raise GraderError(said) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def for_a_child() -> Iterator[None]:
    """Lift the limit while a process is started that has limits of its own: it would inherit this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


SMALLEST_PICTURE = 64  # pixels, each way
TEXT = 1_000
LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_MEMORY = re.compile(r"can't allocate memory|Unable to allocate|not enough memory", re.IGNORECASE)


def told(value: object) -> str:
    """Return what a kernel said as text that can be written: half surrogates cannot."""
    return str(value)[:TEXT].encode("utf-8", "replace").decode()


def raised(cell: NotebookNode, reply: Mapping[str, Any]) -> Failure | None:
    """Describe the exception a cell ended with, from its last output, or the kernel's reply where that output was lost."""
    replied = reply if reply.get("status") == "error" else None
    last = next((output for output in reversed(cell.outputs) if output.output_type == "error"), replied)
    if last is None:
        return None
    lines_shown = last.get("traceback")
    traceback = ANSI.sub("", "\n".join(map(str, lines_shown if isinstance(lines_shown, list) else ())))
    lines = LINE.findall(traceback)
    message = told(last.get("evalue"))
    memory = last.get("ename") == "MemoryError" or NO_MEMORY.search(message)
    return Failure(
        Fault.MEMORY if memory else Fault.ERROR,
        told(last.get("ename")),
        message,
        int(lines[-1]) if lines else None,
    )


def cut_off(cell: NotebookNode) -> bool:
    """Whether the kernel itself left out some of what a cell printed."""
    return any(CUT in str(output.get("text", "")) for output in cell.get("outputs", ()))


def images(cell: NotebookNode) -> int:
    """Count the pictures a cell shows; a PNG smaller than a thumbnail is none."""
    shown = (data for output in cell.get("outputs", ()) if isinstance(data := output.get("data"), dict))
    return sum(any(kind.startswith("image/") and _visible(kind, data[kind]) for kind in data) for data in shown)


def _visible(kind: str, content: object) -> bool:
    """Whether a picture is large enough to be looked at; only a PNG's first bytes are read (its width and height)."""
    if kind != "image/png":
        return True
    try:
        start = b64decode(str(content)[:32])
    except ValueError:
        return False
    return all(int.from_bytes(side, "big") >= SMALLEST_PICTURE for side in (start[16:20], start[20:24]))


RECOVERY_S = 5.0
POLL_S = 0.2
MAX_OUTPUT = 5_000_000  # bytes of one cell
MAX_OUTPUTS = 40_000_000  # of the whole notebook


class BoundedClient(NotebookClient):
    """An nbclient that keeps at most `room` bytes of a cell's output, answers no comm, and ignores malformed messages."""

    room = MAX_OUTPUT
    ended = True
    """Whether the kernel said that the last cell is done: then all its output is here."""
    kept = Kept([], 0)
    reply: Mapping[str, Any] = {}
    """What the kernel replied to the last cell, if that ended in an exception."""

    def note_error(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep the reply; see `on_cell_error` of nbclient."""
        content = execute_reply.get("content")
        self.reply = content if isinstance(content, dict) else {}

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:  # noqa: ARG002
        """Process a message of the kernel, which may be anything: the student's code holds the signing key."""
        kind, content = msg.get("msg_type"), msg.get("content")
        if self.kept.outputs is not cell.outputs:
            self.kept = Kept(cell.outputs, self.room)
        if not isinstance(kind, str) or not isinstance(content, dict):
            return None
        if kind == "status" and content.get("execution_state") == "idle":
            self.ended = True
            raise CellExecutionComplete
        self.kept.take(kind, content)
        return None


READY_S = 60.0
LAST_BYTES = 10_000
NONSENSE = "nonsense"  # what a kernel says whose messages are not Jupyter's


class SandboxEndedError(GraderError):
    """The sandbox was ended from outside: nothing inside can do that, so it costs the submission nothing."""


class Runner:
    """A kernel in a room, and the notebook that runs in it."""

    def __init__(self, notebook: NotebookNode, room: Sandbox) -> None:
        self.notebook = notebook
        self.room = room
        self._manager: AsyncKernelManager | None = None
        self._client: BoundedClient | None = None
        self._kept: dict[int, int] = {}
        """Bytes of output kept, by cell: one that is run again counts once."""
        self.cut: set[int] = set()
        """Cells whose output was cut off."""

    async def start(self, first: str) -> None:
        """Start a fresh kernel and run `first` in it, before anything of the notebook."""
        self.why_dead()
        await self.stop()
        self.room.clean()
        self._manager = kernel_manager(self.room)
        self._client = BoundedClient(
            self.notebook,
            km=self._manager,
            allow_errors=True,
            raise_on_iopub_timeout=False,
            iopub_timeout=round(RECOVERY_S),
            record_timing=False,
        )
        self._client.on_cell_error = self._client.note_error
        try:
            with for_a_child():
                await self._client.async_start_new_kernel()
            await self._client.async_start_new_kernel_client()
        except RuntimeError as error:
            raise GraderError(f"The notebook's kernel did not start: {self._said() or error}.") from error
        if await self.ask(first, READY_S) is not None:
            raise GraderError(f"The notebook's kernel did not answer: {self._said() or 'no reason given'}.")

    def _said(self) -> str:
        """Return the last line the kernel's process wrote outside any cell; its log may be as large as any file."""
        with self.room.log.open("rb") as log:
            log.seek(max(0, self.room.log.stat().st_size - LAST_BYTES))
            lines = log.read(LAST_BYTES).decode(errors="replace").strip().splitlines()
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
        others = sum(size for cell_index, size in self._kept.items() if cell_index != index)
        client.room, client.kept, client.ended = min(MAX_OUTPUT, MAX_OUTPUTS - others), Kept([], 0), False
        client.reply = {}
        started, passed_over = time.monotonic(), self._left_out()
        failure = await self._execute(client, index, seconds)
        client.kept.finish()
        self._kept[index] = client.kept.size
        unheard = self._client is not None and not client.ended
        if client.kept.cut or unheard or cut_off(cell) or self._left_out() > passed_over:
            self.cut.add(index)
        taken = round(time.monotonic() - started, 3)
        return CellRun(index, cell.metadata.get("grade_id"), taken, failure, images(cell))

    def _left_out(self) -> int:
        return left_out(self._manager) if self._manager is not None else 0

    async def _execute(self, client: BoundedClient, index: int, seconds: float) -> Failure | None:
        cell = self.notebook.cells[index]
        # nbclient reads on past its own time limit as long as there is something to read.
        limit = asyncio.timeout(seconds + 2 * RECOVERY_S)
        try:
            async with limit:
                await client.async_execute_cell(cell, index)
        except TimeoutError:
            await self._interrupt()
            return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")
        except DeadKernelError:
            if limit.expired():
                await self._interrupt()
                return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # nbclient takes a cancelled cell, Ctrl-C say, for a dead kernel
                raise asyncio.CancelledError from None
            return self.why_dead()
        except MemoryError:  # ours, and no verdict on what is in the cell
            raise
        except Exception as error:  # noqa: BLE001 - a kernel that talks nonsense: its code holds the signing key
            await self.stop()
            return Failure(Fault.DIED, NONSENSE, type(error).__name__)
        return raised(cell, client.reply)

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
                    return self.why_dead()
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - likewise
                await self.stop()
                return Failure(Fault.DIED, NONSENSE, type(error).__name__)
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
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 - whatever it answered, it is not well
            pass
        await self.stop()

    def why_dead(self) -> Failure:
        """Say why the kernel died; raises `SandboxEndedError` where that was no doing of the notebook's."""
        why = death(self._manager) if self._manager is not None else None
        if why is not None and why.cause is Cause.OUTSIDE:
            by = f"signal {why.number}"
            raise SandboxEndedError(f"The sandbox was ended from outside ({by}); grade this submission again.")
        if why is not None and why.cause is Cause.SHORTAGE:
            raise SandboxEndedError(
                "This machine ran out of memory: grade fewer at once (--jobs), then grade this submission again."
            )
        if why is not None and why.cause is Cause.MEMORY:
            limit = self.room.limits.memory_mb
            return Failure(Fault.MEMORY, "", f"{limit} MB")
        return Failure(Fault.DIED, str(why.cause), str(why.number)) if why else Failure(Fault.DIED)


def _refused(content: dict[str, Any]) -> Failure | None:
    if content.get("status") == "ok":
        return None
    return Failure(Fault.ERROR, told(content.get("ename")), told(content.get("evalue")))
