"""Runs a notebook's cells one by one in a sandbox, each with a time limit, and records how each one ended.

nbclient exchanges the messages; this module handles cells that fail: a cell past its time is interrupted, and only
if the kernel does not recover is the kernel killed.
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

from autograder.engine.collecting.output_buffer import OutputBuffer
from autograder.engine.errors import GraderError
from autograder.engine.evidence import CellRun, Failure, Fault
from autograder.engine.inside import CUT_MARK
from autograder.engine.sandbox import Cause, Sandbox, death, kernel_manager, left_out

COLLECTING_MB = 2048
"""Address space, in MiB, beyond what the process starts with."""
RECOVERY_S = 5.0
READY_S = 60.0
POLL_S = 0.2
MAX_OUTPUT = 5_000_000  # bytes of one cell
MAX_OUTPUTS = 40_000_000  # of the whole notebook
LAST_BYTES = 10_000
BAD_MESSAGES = "nonsense"  # `Failure.type` where a kernel sends malformed messages

SMALLEST_PICTURE = 64  # pixels, each way
MAX_TEXT = 1_000
LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_MEMORY = re.compile(r"can't allocate memory|Unable to allocate|not enough memory", re.IGNORECASE)


class SandboxEndedError(GraderError):
    """The sandbox was ended from outside, which nothing inside can do; the submission loses no points for it."""


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Limit this process's address space to `COLLECTING_MB` more than now; raises `GraderError` if that is too little.

    Reaching the limit costs no points: the grader failed, and a person has to look.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + COLLECTING_MB * 2**20
    try:
        with _address_space(limit if soft == resource.RLIM_INFINITY else min(limit, soft), hard):
            yield
    except MemoryError as error:
        raise GraderError(
            f"What came out of the sandbox did not fit into {COLLECTING_MB} MiB; a person must look at this submission."
        ) from error


@contextmanager
def _address_space(soft: int, hard: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class BoundedClient(NotebookClient):
    """An nbclient client that limits a cell's output to `output_limit` bytes and ignores malformed messages."""

    output_limit = MAX_OUTPUT
    ended = True
    """Whether the kernel reported the last cell as done, so that all its output has arrived."""
    kept = OutputBuffer([], 0)
    reply: Mapping[str, Any] = {}
    """The kernel's reply to the last cell if that cell raised an exception."""

    def note_error(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:  # noqa: ARG002
        """Store the reply; called as nbclient's `on_cell_error`."""
        content = execute_reply.get("content")
        self.reply = content if isinstance(content, dict) else {}

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:  # noqa: ARG002
        """Process one kernel message; it may hold anything, since the student's code can read the signing key."""
        kind, content = msg.get("msg_type"), msg.get("content")
        if self.kept.outputs is not cell.outputs:
            self.kept = OutputBuffer(cell.outputs, self.output_limit)
        if not isinstance(kind, str) or not isinstance(content, dict):
            return None
        if kind == "status" and content.get("execution_state") == "idle":
            self.ended = True
            raise CellExecutionComplete
        self.kept.take(kind, content)
        return None


class Runner:
    """Runs one notebook in a sandboxed kernel, cell by cell."""

    def __init__(self, notebook: NotebookNode, sandbox: Sandbox) -> None:
        self.notebook = notebook
        self.sandbox = sandbox
        self._manager: AsyncKernelManager | None = None
        self._client: BoundedClient | None = None
        self._kept: dict[int, int] = {}
        """Bytes of output stored, by cell index; a cell that runs again counts once."""
        self.cut: set[int] = set()
        """Cells whose output was cut off."""

    async def start(self, first: str) -> None:
        """Start a new kernel and run the code `first` in it before any cell of the notebook."""
        self.why_dead()
        await self.stop()
        self.sandbox.clean()
        self._manager = kernel_manager(self.sandbox)
        self._client = BoundedClient(
            self.notebook,
            km=self._manager,
            allow_errors=True,
            raise_on_iopub_timeout=False,
            iopub_timeout=round(RECOVERY_S),
            record_timing=False,
        )
        self._client.on_cell_error = self._client.note_error
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        try:
            with _address_space(hard, hard):  # the kernel has limits of its own, and would inherit ours
                await self._client.async_start_new_kernel()
            await self._client.async_start_new_kernel_client()
        except RuntimeError as error:
            raise GraderError(f"The notebook's kernel did not start: {self._last_log_line() or error}.") from error
        if await self.ask(first, READY_S) is not None:
            why = self._last_log_line() or "no reason given"
            raise GraderError(f"The notebook's kernel did not answer: {why}.")

    def _last_log_line(self) -> str:
        """Return the last line the kernel's process wrote outside any cell; its log may be as large as any file."""
        with self.sandbox.log.open("rb") as log:
            log.seek(max(0, self.sandbox.log.stat().st_size - LAST_BYTES))
            lines = log.read(LAST_BYTES).decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    async def stop(self) -> None:
        """End the kernel and everything it started."""
        if self._client is not None and self._client.kc is not None:
            self._client.kc.stop_channels()
        if self._manager is not None and self._manager.has_kernel:
            with suppress(RuntimeError, ZMQError):  # a kernel that never answered has no sockets any more
                await self._manager.shutdown_kernel(now=True)
        self._manager = self._client = None

    async def run(self, index: int, seconds: float) -> CellRun:
        """Run one cell of the notebook with a time limit."""
        client, manager = self._client, self._manager
        assert client is not None
        assert manager is not None
        cell = self.notebook.cells[index]
        client.timeout = max(1, round(seconds))
        others = sum(size for cell_index, size in self._kept.items() if cell_index != index)
        client.output_limit, client.kept = min(MAX_OUTPUT, MAX_OUTPUTS - others), OutputBuffer([], 0)
        client.ended, client.reply = False, {}
        started, left_out_before = time.monotonic(), left_out(manager)
        failure = await self._execute(client, index, seconds)
        client.kept.finish()
        self._kept[index] = client.kept.size
        cut_inside = any(CUT_MARK in str(output.get("text", "")) for output in cell.get("outputs", ()))
        if client.kept.cut or cut_inside:
            self.cut.add(index)
        if self._manager is not None and (not client.ended or left_out(manager) > left_out_before):
            self.cut.add(index)
        taken = round(time.monotonic() - started, 3)
        return CellRun(index, cell.metadata.get("grade_id"), taken, failure, _count_images(cell))

    async def _execute(self, client: BoundedClient, index: int, seconds: float) -> Failure | None:
        cell = self.notebook.cells[index]
        # nbclient reads on past its own time limit as long as there is something to read.
        limit = asyncio.timeout(seconds + 2 * RECOVERY_S)
        try:
            async with limit:
                await client.async_execute_cell(cell, index)
        except (TimeoutError, DeadKernelError) as error:
            if isinstance(error, TimeoutError) or limit.expired():
                await self._interrupt()
                return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # nbclient takes a cancelled cell, Ctrl-C say, for a dead kernel
                raise asyncio.CancelledError from None
            return self.why_dead()
        except MemoryError:  # of the grader's process; it says nothing about the cell
            raise
        except Exception as error:  # noqa: BLE001 - malformed messages: the student's code can read the signing key
            await self.stop()
            return Failure(Fault.DIED, BAD_MESSAGES, type(error).__name__)
        return _raised(cell, client.reply)

    async def ask(self, code: str, seconds: float) -> Failure | None:
        """Run a line of the grader's code in the kernel; return its failure, or None."""
        message = self._send(code)
        try:
            reply = await self._reply(message, seconds)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            await self.stop()
            return Failure(Fault.DIED, BAD_MESSAGES, type(error).__name__)
        if reply is not None and reply.get("status") == "ok":
            return None
        if reply is not None:
            return Failure(Fault.ERROR, _writable(reply.get("ename")), _writable(reply.get("evalue")))
        if not await self.alive():
            return self.why_dead()
        await self._interrupt()
        return Failure(Fault.TIMEOUT, "", f"{seconds:.0f} s")

    def _send(self, code: str) -> str:
        """Send a line of the grader's code to the kernel and return the message's id."""
        assert self._client is not None
        assert self._client.kc is not None
        message: str = self._client.kc.execute(code, silent=True, store_history=False, allow_stdin=False)
        return message

    async def _reply(self, message: str, seconds: float) -> dict[str, Any] | None:
        """Return the kernel's reply to a message; None where the kernel died or the time was up."""
        assert self._client is not None
        assert self._client.kc is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                reply = await self._client.kc.shell_channel.get_msg(timeout=POLL_S)
            except Empty:
                if not await self.alive():
                    return None
                continue
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"])
        return None

    async def alive(self) -> bool:
        """Whether there is a kernel."""
        return self._manager is not None and bool(await self._manager.is_alive())

    async def _interrupt(self) -> None:
        """Interrupt the running cell; a kernel that does not answer afterwards is killed."""
        assert self._manager is not None
        try:
            await self._manager.interrupt_kernel()
            if await self._reply(self._send(""), RECOVERY_S) is not None:
                return
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 - any error means that the kernel did not recover
            pass
        await self.stop()

    def why_dead(self) -> Failure:
        """Return why the kernel died; raises `SandboxEndedError` if the notebook did not cause it."""
        why = death(self._manager) if self._manager is not None else None
        if why is None:
            return Failure(Fault.DIED)
        if why.cause is Cause.OUTSIDE:
            by = f"signal {why.number}"
            raise SandboxEndedError(f"The sandbox was ended from outside ({by}); grade this submission again.")
        if why.cause is Cause.SHORTAGE:
            raise SandboxEndedError(
                "This machine ran out of memory: grade fewer at once (--jobs), then grade this submission again."
            )
        if why.cause is Cause.MEMORY:
            return Failure(Fault.MEMORY, "", f"{self.sandbox.limits.memory_mb} MB")
        return Failure(Fault.DIED, str(why.cause), str(why.number))


def _writable(value: object) -> str:
    """Return a kernel's value as text that UTF-8 can encode: lone surrogates are replaced."""
    return str(value)[:MAX_TEXT].encode("utf-8", "replace").decode()


def _raised(cell: NotebookNode, reply: Mapping[str, Any]) -> Failure | None:
    """Describe the exception a cell ended with, from its last output, or the kernel's reply where that output was lost."""
    replied = reply if reply.get("status") == "error" else None
    last = next((output for output in reversed(cell.outputs) if output.output_type == "error"), replied)
    if last is None:
        return None
    shown = last.get("traceback")
    lines = LINE.findall(ANSI.sub("", "\n".join(map(str, shown if isinstance(shown, list) else ()))))
    message = _writable(last.get("evalue"))
    memory = last.get("ename") == "MemoryError" or NO_MEMORY.search(message)
    fault = Fault.MEMORY if memory else Fault.ERROR
    return Failure(fault, _writable(last.get("ename")), message, int(lines[-1]) if lines else None)


def _count_images(cell: NotebookNode) -> int:
    """Count the pictures a cell shows; a PNG smaller than a thumbnail is none."""
    shown = (data for output in cell.get("outputs", ()) if isinstance(data := output.get("data"), dict))
    return sum(any(kind.startswith("image/") and _visible(kind, data[kind]) for kind in data) for data in shown)


def _visible(kind: str, content: object) -> bool:
    """Whether a picture is at least `SMALLEST_PICTURE` wide and high; only the PNG header is read."""
    if kind != "image/png":
        return True
    try:
        start = b64decode(str(content)[:32])
    except ValueError:
        return False
    return all(int.from_bytes(side, "big") >= SMALLEST_PICTURE for side in (start[16:20], start[20:24]))
