"""The grader's end of the talk with a kernel: how much it takes in, and what it does with what is not Jupyter's."""

import json
import time
from contextlib import suppress
from queue import Empty
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode

RECOVERY_S = 5.0
POLL_S = 0.2
MAX_OUTPUT = 5_000_000  # bytes of one cell
MAX_OUTPUTS = 40_000_000  # of the whole notebook


class BoundedClient(NotebookClient):
    """An nbclient that keeps at most so much output, and shrugs at messages that are not Jupyter's."""

    kept = 0
    kept_before = 0
    cut = False
    ended = True

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process a message of the kernel, which may be anything: the student's code holds the signing key."""
        try:
            self.kept += len(json.dumps(msg["content"], ensure_ascii=False, default=str).encode("utf-8", "replace"))
        except (KeyError, TypeError, ValueError, RecursionError):
            return None
        full = self.kept > MAX_OUTPUT or self.kept + self.kept_before > MAX_OUTPUTS
        if full and msg.get("msg_type") != "status":
            self.cut = True
            return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            self.ended = True
            raise
        except Exception:  # noqa: BLE001 - a malformed message is dropped, not obeyed
            return None

    async def listen_anew(self) -> None:
        """Connect to the kernel's output again: a message longer than allowed has closed the way."""
        assert self.kc is not None
        self.kc.iopub_channel.stop()
        self.kc._iopub_channel = None  # the client connects anew when it is next asked  # noqa: SLF001
        deadline = time.monotonic() + RECOVERY_S
        while time.monotonic() < deadline:
            self.kc.kernel_info()  # until something is heard, what a cell says would be lost
            with suppress(Empty):
                await self.kc.iopub_channel.get_msg(timeout=POLL_S)
                return
