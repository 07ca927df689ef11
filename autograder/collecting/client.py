"""The grader's end of the talk with a kernel: how much it keeps, and what it does with what is not Jupyter's."""

from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode

from autograder.collecting.kept import Kept

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
