"""Read a notebook file that anybody may have written: the text of its cells, and the ids they claim.

Nothing of it is trusted: it may be no notebook, an old one, a link, a pipe, or JSON that only looks like a notebook.
"""

import errno
import hashlib
import json
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import SubmissionError
from autograder.language import say

MAX_BYTES = 50_000_000
MAX_CELLS = 5_000
KINDS = ("code", "markdown", "raw")


@dataclass(frozen=True)
class FoundCell:
    """A cell as the file has it: its type and text, and the ids it claims; metadata and tags are left behind."""

    kind: str
    source: str
    grade_id: str | None
    cell_id: str


@dataclass(frozen=True)
class NotebookFile:
    """The file's SHA-256, its cells, and `notes` on what had to be mended to read them."""

    digest: str
    cells: tuple[FoundCell, ...]
    notes: tuple[str, ...]


def read_ipynb(path: Path) -> NotebookFile:
    """Read the notebook at `path`; raises `SubmissionError`, one sentence, where it is not one."""
    raw = _bytes(path)
    cells, notes = _cells(raw, path)
    return NotebookFile(hashlib.sha256(raw).hexdigest(), tuple(cells), tuple(notes))


def _bytes(path: Path) -> bytes:
    """Read a plain file: a link may lead to another's work, and a pipe never ends."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        why = "it is a link; submit the notebook itself" if error.errno == errno.ELOOP else error.strerror
        raise SubmissionError(f"{path} cannot be read: {why}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SubmissionError(f"{path} is not a file; submit the .ipynb file itself.")
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise SubmissionError(
            f"{path} is larger than {MAX_BYTES // 1_000_000} MB; clear its outputs and submit it again."
        )
    return raw


def _cells(raw: bytes, path: Path) -> tuple[list[FoundCell], list[str]]:
    """Return the notebook's cells as they claim to be, and what had to be mended to read them."""
    document = _document(raw, path)
    notes = []
    if document["nbformat"] < 4:
        notes.append(
            say(
                pl=f"Notebook był w starym formacie nbformat {document['nbformat']}; przekształcono go do formatu 4.",
                en=f"The notebook was in the old nbformat {document['nbformat']}; it was converted to format 4.",
            )
        )
    found = _upgrade(document, path)
    damaged = [str(number) for number, cell in enumerate(found, start=1) if not _whole(cell)]
    if damaged:
        notes.append(
            say(
                pl=f"Uszkodzone komórki (typ lub treść), numery: {', '.join(damaged[:20])}; "
                "odczytano z nich to, co się dało.",
                en=f"Damaged cells (type or text), numbers: {', '.join(damaged[:20])}; what could be read was kept.",
            )
        )
    return [_as_claimed(cell) for cell in found], notes


def _document(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not UTF-8 text (byte {error.start}); save it again from Jupyter.") from error
    except (ValueError, RecursionError) as error:
        what = "is empty" if not raw.strip() else "is truncated or not JSON"
        raise SubmissionError(f"{path} {what}; save it again from Jupyter.") from error
    if not isinstance(document, dict) or type(document.get("nbformat")) is not int:
        raise SubmissionError(f"{path} is JSON but not a Jupyter notebook; submit the .ipynb file itself.")
    return document


def _upgrade(document: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """Return the cells of format 4; an older notebook is converted by nbformat."""
    notebook = document
    if document["nbformat"] != 4:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                notebook = nbformat.convert(nbformat.from_dict(document), 4)
        except Exception as error:  # nbformat raises whatever a malformed document makes it trip over
            raise _invalid(path) from error
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _invalid(path)
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"{path} has {len(cells)} cells, more than the {MAX_CELLS} that are graded; shorten it.")
    return cells


def _invalid(path: Path) -> SubmissionError:
    return SubmissionError(f"{path} is not a valid notebook; open it in Jupyter and save it again.")


def _whole(cell: dict[str, Any]) -> bool:
    """Whether a cell has a type of Jupyter's, and text, in one piece or in lines."""
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return cell.get("cell_type") in KINDS and all(isinstance(line, str) for line in lines)


def _as_claimed(cell: dict[str, Any]) -> FoundCell:
    """Take a cell's type, text and ids; what is not text counts as none."""
    meta = cell.get("metadata")
    nbgrader = meta.get("nbgrader") if isinstance(meta, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    kind = valid_text(cell.get("cell_type"))
    return FoundCell(
        kind=kind if kind in KINDS else "raw",
        source=valid_text(cell.get("source")),
        grade_id=valid_text(grade_id) or None,
        cell_id=valid_text(cell.get("id")),
    )


def valid_text(value: object) -> str:
    """Return text that UTF-8 can hold: half a surrogate pair is valid JSON, and no character."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str)).encode(errors="replace").decode()
