"""The cells of a submitted notebook as the file has them: their text, and what they claim to be.

Nothing of it is trusted: any value may be of any type.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.notebook.damage import Damage, Damaged, damaged
from autograder.notebook.nbfile import Document, read_document
from autograder.notebook.pasted import Picture, pasted

KINDS = ("code", "markdown", "raw")


@dataclass(frozen=True)
class Marking:
    """What nbgrader's metadata make of a cell; `points` count where it is graded."""

    grade: bool = False
    locked: bool = False
    solution: bool = False
    points: float | None = None


@dataclass(frozen=True)
class FoundCell:
    """A cell as the file has it: its type, text and pasted pictures, and what it claims to be; all else is left behind."""

    kind: str
    source: str
    grade_id: str | None = None
    cell_id: str = ""
    marking: Marking = Marking()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class NotebookFile:
    """The file's SHA-256, its cells, and what had to be mended to read them."""

    digest: str
    cells: tuple[FoundCell, ...]
    damage: tuple[Damaged, ...]


def read_ipynb(path: Path) -> NotebookFile:
    """Read the notebook at `path`; raises `SubmissionError`, one sentence, where it is not one."""
    document = read_document(path)
    cells = tuple(_as_claimed(cell) for cell in document.cells)
    return NotebookFile(document.digest, cells, _damage(document))


def marking(nbgrader: dict[str, Any]) -> Marking:
    """Read nbgrader's metadata of one cell, whoever wrote them."""
    grade, locked, solution = (nbgrader.get(key) is True for key in ("grade", "locked", "solution"))
    points = nbgrader.get("points")
    counts = grade and isinstance(points, int | float) and not isinstance(points, bool)
    return Marking(grade, locked, solution, points if counts else None)


def valid_text(value: object) -> str:
    """Return text that UTF-8 can hold: half a surrogate pair is valid JSON, and no character."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str)).encode(errors="replace").decode()


def _as_claimed(cell: dict[str, Any]) -> FoundCell:
    """Take a cell's type, text and ids; what is not text counts as none."""
    meta = cell.get("metadata")
    nbgrader = meta.get("nbgrader") if isinstance(meta, dict) else None
    claims = nbgrader if isinstance(nbgrader, dict) else {}
    kind = valid_text(cell.get("cell_type"))
    pictures, _ = pasted(cell.get("attachments"))
    return FoundCell(
        kind=kind if kind in KINDS else "raw",
        source=valid_text(cell.get("source")),
        grade_id=valid_text(claims.get("grade_id")) or None,
        cell_id=valid_text(cell.get("id")),
        marking=marking(claims),
        pictures=pictures if kind == "markdown" else (),
    )


def _damage(document: Document) -> tuple[Damaged, ...]:
    """Name what had to be mended: an old format, cells that are not wholly cells, ids that Jupyter would have given."""
    version = document.version
    ids = [cell.get("id") for cell in document.cells]
    named = Counter(name for name in ids if isinstance(name, str) and name)
    have_ids = version == 4 and document.minor >= 5
    return (
        *damaged(Damage.OLD_FORMAT, [str(version)] if version < 4 else []),
        *damaged(Damage.UNREADABLE, _numbers(not _whole(cell) for cell in document.cells)),
        *damaged(Damage.NOT_A_PICTURE, _numbers(_holds_more_than_pictures(cell) for cell in document.cells)),
        *damaged(Damage.NO_CELL_ID, _numbers(have_ids and named[valid_text(name)] != 1 for name in ids)),
    )


def _whole(cell: dict[str, Any]) -> bool:
    """Whether a cell has a type of Jupyter's, and text, in one piece or in lines."""
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return cell.get("cell_type") in KINDS and all(isinstance(line, str) for line in lines)


def _holds_more_than_pictures(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "markdown" and pasted(cell.get("attachments"))[1]


def _numbers(marked: Iterable[bool]) -> list[str]:
    return [str(number) for number, is_marked in enumerate(marked, start=1) if is_marked]
