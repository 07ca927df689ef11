"""Stores a cell's outputs within a byte limit: only text and pictures, nothing else that a kernel may send."""

import re
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

MAX_KINDS = 8
"""Maximum number of MIME types per output; a picture, for example, comes as PNG and as text."""
MAX_LINES = 1000
"""Lines of a traceback; the last ones are kept."""
MAX_DISPLAYS = 1000
"""Displays of one cell that can be updated later."""
OVERHEAD = 100
"""Bytes of memory counted for an output, or a piece of text, in addition to its content."""
SHOWN = re.compile(r"(text|image)/[a-z0-9.+-]{1,40}")


class OutputBuffer:
    """Collects one cell's outputs in `outputs`, up to `limit` bytes."""

    def __init__(self, outputs: list[NotebookNode], limit: int) -> None:
        self.outputs = outputs
        self.size = 0
        self.cut = False
        """Whether an output was dropped because the limit was reached."""
        self._limit = limit
        self._clear_first = False
        self._displays: dict[str, NotebookNode] = {}

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Store the output in a Jupyter message; comms and malformed messages are ignored."""
        if kind == "clear_output":
            self._clear_first = True
            if not content.get("wait"):
                self._clear()
            return
        output = _output("display_data" if kind == "update_display_data" else kind, content)
        if output is None:
            return
        transient = content.get("transient")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        display = name if isinstance(name, str) and len(name) <= OVERHEAD else ""
        if kind == "update_display_data" and display in self._displays:
            shown = self._displays[display]
            if self._reserve(_size(output) - _size(shown)):
                shown["data"] = output.data
        elif self._add(output) and display and len(self._displays) < MAX_DISPLAYS:
            self._displays[display] = output

    def finish(self) -> None:
        """Join the pieces of text that were collected separately."""
        for output in self.outputs:
            if isinstance(output.get("text"), list):
                output["text"] = "".join(output["text"])

    def _clear(self) -> None:
        self._clear_first = False
        self.outputs.clear()
        self._displays.clear()
        self.size = 0

    def _add(self, output: NotebookNode) -> bool:
        """Append an output, or its text to the stream that is being printed; return whether it was within the limit."""
        if self._clear_first:
            self._clear()
        if not self._reserve(_size(output)):
            return False
        last = self.outputs[-1] if self.outputs else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            self.outputs.append(output)
        return True

    def _reserve(self, more: int) -> bool:
        if self.size + more > self._limit:
            self.cut = True
            return False
        self.size += more
        return True


def _output(kind: str, content: dict[str, Any]) -> NotebookNode | None:
    """Return the message's output reduced to its text fields; None if it has no valid output."""
    fields: dict[str, Any] = {}
    data = content.get("data")
    if kind == "stream" and isinstance(content.get("text"), str):
        fields = {"name": "stderr" if content.get("name") == "stderr" else "stdout", "text": [content["text"]]}
    elif kind == "error":
        lines = content.get("traceback")
        texts = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        names = {name: value if isinstance(value := content.get(name), str) else "" for name in ("ename", "evalue")}
        fields = {**names, "traceback": texts[-MAX_LINES:]}
    elif kind in {"display_data", "execute_result"} and isinstance(data, dict):
        shown = [(name, text) for name, text in data.items() if SHOWN.fullmatch(name) and isinstance(text, str)]
        count = {"execution_count": None} if kind == "execute_result" else {}
        fields = {"data": dict(shown[:MAX_KINDS]), **count} if shown else {}
    return new_output(kind, **fields) if fields else None


def _size(output: NotebookNode) -> int:
    """Return an output's size in bytes: its texts plus `OVERHEAD`."""
    texts = [*output.get("text", ()), *output.get("traceback", ()), *output.get("data", {}).values()]
    named = [*texts, output.get("ename", ""), output.get("evalue", "")]
    return sum(len(text.encode("utf-8", "replace")) for text in named) + OVERHEAD * max(1, len(texts))
