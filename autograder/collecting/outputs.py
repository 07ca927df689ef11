"""What a cell's outputs say of how it went: the exception it ended with, the pictures it shows, what was left out."""

import re
from base64 import b64decode

from nbformat import NotebookNode

from autograder.evidence.records import Failure, Fault
from autograder.probe.bootstrap import CUT

SMALLEST_PICTURE = 64  # pixels, each way
TEXT = 1_000
LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_MEMORY = re.compile(r"can't allocate memory|Unable to allocate|not enough memory", re.IGNORECASE)


def told(value: object) -> str:
    """Return what a kernel said as text that can be written: half surrogates cannot."""
    return str(value)[:TEXT].encode("utf-8", "replace").decode()


def raised(cell: NotebookNode) -> Failure | None:
    """Describe the exception a cell ended with, from its last output."""
    last = next((output for output in reversed(cell.outputs) if output.output_type == "error"), None)
    if last is None:
        return None
    traceback = ANSI.sub("", "\n".join(str(line) for line in last.get("traceback", ())))
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
