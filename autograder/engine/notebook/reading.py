"""Reads an untrusted notebook file strictly: its bytes, its cells, their pasted pictures.

Of pictures only PNG and JPEG are kept, recognised by their own bytes and not by what they claim to be: SVG and HTML can run. A
picture of a few bytes can stand for gigabytes of pixels, which the reader's browser would have to hold, so these have a
limit too.
"""

import base64
import errno
import hashlib
import io
import json
import os
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from autograder.engine.errors import SubmissionError
from autograder.engine.files import json_values
from autograder.engine.text import printable, say

MAX_BYTES = 50_000_000
MAX_VALUES = 4_000_000
MAX_CELLS = 5_000
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")
KINDS = ("code", "markdown", "raw")

MAX_PICTURES = 20
MAX_CHARACTERS = 8_000_000  # of base64: 6 MB
MAX_PIXELS = 40_000_000
MAX_NAME = 200
FORMATS = ("PNG", "JPEG")
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Picture:
    """A pasted picture: its name in the cell, its media type, and its bytes in base64 without whitespace."""

    name: str
    kind: str
    data: str


@dataclass(frozen=True)
class Marking:
    """A cell's nbgrader metadata; `points` applies if it is graded."""

    grade: bool = False
    locked: bool = False
    solution: bool = False
    points: float | None = None


@dataclass(frozen=True)
class FoundCell:
    """A cell as read from the file: its type, text, pictures and claimed nbgrader metadata; the rest is dropped."""

    kind: str
    source: str
    is_whole: bool
    """Whether its type is one of Jupyter's and its source is text."""
    grade_id: str | None
    cell_id: str
    marking: Marking
    checksum: str
    pictures: tuple[Picture, ...]
    lost_attachments: bool


@dataclass(frozen=True)
class NotebookFile:
    """A notebook file: its SHA-256, the version of its format, its cells in the form of version 4."""

    digest: str
    version: int
    minor: int
    cells: tuple[FoundCell, ...]


def read_ipynb(path: Path) -> NotebookFile:
    """Read the notebook at `path`; raises `SubmissionError`, one sentence, where it is not one."""
    raw = read_bytes(path)
    content = _json(raw, path)
    version, minor = content["nbformat"], content.get("nbformat_minor")
    cells = (content if version == 4 else _upgraded(content, path)).get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _invalid(path)
    if len(cells) > MAX_CELLS:
        raise refused(
            path,
            f"ma za dużo komórek ({len(cells)}, a ocenia się najwyżej {MAX_CELLS}); skróć go",
            f"has {len(cells)} cells, more than the {MAX_CELLS} that are graded; shorten it",
        )
    minor = minor if type(minor) is int else 0
    return NotebookFile(hashlib.sha256(raw).hexdigest(), version, minor, tuple(map(_found, cells)))


def refused(path: Path, pl: str, en: str) -> SubmissionError:
    """Return the error that rejects a path; it says what is wrong and what to do."""
    shown = printable(str(path))
    return SubmissionError(say(pl=f"{shown} {pl}.", en=f"{shown} {en}."))


def read_bytes(path: Path) -> bytes:
    """Read a plain file: a link may lead to another's work, and a pipe never ends."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refused(
                path, "jest dowiązaniem; oddaj właściwy plik notebooka", "is a link; submit the notebook itself"
            ) from error
        why = error.strerror
        raise refused(path, f"nie daje się odczytać ({why})", f"cannot be read: {why}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refused(path, "nie jest plikiem; oddaj plik .ipynb", "is not a file; submit the .ipynb file itself")
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise refused(
            path,
            f"ma ponad {MAX_BYTES // 1_000_000} MB; wyczyść wyniki komórek i oddaj notebook jeszcze raz",
            f"is larger than {MAX_BYTES // 1_000_000} MB; clear its outputs and submit it again",
        )
    return raw


def _json(raw: bytes, path: Path) -> dict[str, Any]:
    if raw.startswith(ARCHIVES):
        raise refused(path, "jest archiwum; oddaj rozpakowany plik .ipynb", "is an archive; submit the .ipynb in it")
    if json_values(raw) > MAX_VALUES:
        raise refused(
            path,
            "zawiera zbyt wiele danych; wyczyść wyniki komórek i oddaj notebook jeszcze raz",
            "holds too many values; clear its outputs and submit it again",
        )
    again = ("zapisz go ponownie w Jupyterze", "save it again from Jupyter")
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refused(
            path,
            f"nie jest tekstem w UTF-8 (bajt {error.start}); {again[0]}",
            f"is not UTF-8 text (byte {error.start}); {again[1]}",
        ) from error
    except (ValueError, RecursionError) as error:
        if not raw.strip():
            raise refused(path, f"jest pusty; {again[0]}", f"is empty; {again[1]}") from error
        raise refused(
            path, f"jest ucięty lub nie jest poprawnym JSON-em; {again[0]}", f"is truncated or not JSON; {again[1]}"
        ) from error
    if not isinstance(content, dict) or type(content.get("nbformat")) is not int:
        raise refused(
            path,
            "jest JSON-em, ale nie notebookiem Jupytera; oddaj plik .ipynb",
            "is JSON but not a Jupyter notebook; submit the .ipynb file itself",
        )
    return content


def _upgraded(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return an older notebook in the form of version 4, as nbformat converts it.

    Heading levels are kept as HTML has them: nbformat writes as many `#` as version 3's cell asks for.
    """
    import nbformat  # noqa: PLC0415 - most of the start of `splot check`, and hardly ever needed

    try:
        for sheet in content.get("worksheets", ()):
            for cell in sheet.get("cells", ()):
                if "level" in cell and cell["level"] not in range(1, 7):
                    cell["level"] = 1
        with warnings.catch_warnings(action="ignore"):
            return nbformat.convert(nbformat.from_dict(content), 4)  # type: ignore[no-any-return]
    except Exception as error:  # nbformat raises whatever a malformed document makes it trip over
        raise _invalid(path) from error


def _invalid(path: Path) -> SubmissionError:
    return refused(
        path,
        "nie jest poprawnym notebookiem; otwórz go w Jupyterze i zapisz ponownie",
        "is not a valid notebook; open it in Jupyter and save it again",
    )


def _found(cell: dict[str, Any]) -> FoundCell:
    """Take a cell's type, text and ids; what is not text counts as none."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    claims = nbgrader if isinstance(nbgrader, dict) else {}
    kind, source = _valid(cell.get("cell_type")), cell.get("source")
    cell_id, checksum = cell.get("id"), claims.get("checksum")
    is_text = all(isinstance(line, str) for line in (source if isinstance(source, list) else [source]))
    pictures, lost = pasted(cell.get("attachments")) if kind == "markdown" else ((), False)
    return FoundCell(
        kind=kind if kind in KINDS else "raw",
        source=_valid(source),
        is_whole=is_text and cell.get("cell_type") in KINDS,
        grade_id=_valid(claims.get("grade_id")) or None,
        cell_id=_valid(cell_id) if isinstance(cell_id, str) else "",
        marking=read_marking(claims),
        checksum=checksum if isinstance(checksum, str) and len(checksum) == 32 else "",
        pictures=pictures,
        lost_attachments=lost,
    )


def read_marking(nbgrader: dict[str, Any]) -> Marking:
    """Read nbgrader's metadata of one cell, which may be untrusted."""
    grade, locked, solution = (nbgrader.get(key) is True for key in ("grade", "locked", "solution"))
    points = nbgrader.get("points")
    counts = grade and isinstance(points, int | float) and not isinstance(points, bool)
    return Marking(grade, locked, solution, points if counts else None)


def joined_text(value: object) -> str:
    """Return text as notebooks hold it, in one piece or in lines; what is not text is left out."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))


def _valid(value: object) -> str:
    """Return text that UTF-8 can encode: a lone surrogate is valid JSON but no character."""
    return joined_text(value).encode(errors="replace").decode()


def pasted(attachments: object) -> tuple[tuple[Picture, ...], bool]:
    """Return a cell's pictures, at most `MAX_PICTURES`, and whether anything attached had to be left out.

    `attachments` is what the file has there, of any type.
    """
    found = list(attachments.items()) if isinstance(attachments, dict) else []
    pictures = [picture for name, bundle in found[:MAX_PICTURES] if (picture := _picture(name, bundle)) is not None]
    return tuple(pictures), len(pictures) < len(found)


def _picture(name: object, bundle: object) -> Picture | None:
    """Return the first PNG or JPEG among the forms in which one attachment is given."""
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        return None
    for value in bundle.values() if isinstance(bundle, dict) else ():
        data = "".join(joined_text(value).split())
        kind = picture_kind(data)
        if kind is not None:
            return Picture(name, kind, data)
    return None


def picture_kind(data: str) -> str | None:
    """Return the media type of a picture in base64 by its header; None where it is neither PNG nor JPEG, or too large."""
    if len(data) > MAX_CHARACTERS or len(data) % 4 or not BASE64.fullmatch(data):
        return None
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(base64.b64decode(data)), formats=FORMATS) as found,
        ):
            return Image.MIME[found.format or ""] if found.width * found.height <= MAX_PIXELS else None
    except Exception:  # noqa: BLE001 - a decoder may raise anything on untrusted bytes
        return None
