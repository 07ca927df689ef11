"""Read a file that should be a notebook and that anybody may have written: its bytes, and the cells they spell.

It may be no notebook, an old one, a link, a pipe, an archive, or JSON made to fill memory.
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
from autograder.plainfile import json_values
from autograder.printable import printable

MAX_BYTES = 50_000_000
MAX_VALUES = 4_000_000
MAX_CELLS = 5_000
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class Document:
    """A notebook as JSON: SHA-256 of the file, the format's version, and the cells in the form of version 4."""

    digest: str
    version: int
    minor: int
    cells: list[dict[str, Any]]


def read_document(path: Path) -> Document:
    """Read the notebook at `path`; raises `SubmissionError`, one sentence, where it is not one."""
    raw = _bytes(path)
    content = _json(raw, path)
    version, minor = content["nbformat"], content.get("nbformat_minor")
    cells = _cells(content if version == 4 else _upgraded(content, path), path)
    return Document(hashlib.sha256(raw).hexdigest(), version, minor if type(minor) is int else 0, cells)


def _bytes(path: Path) -> bytes:
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
    """Return an older notebook in the form of version 4, as nbformat converts it."""
    try:
        _bound_headings(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nbformat.convert(nbformat.from_dict(content), 4)  # type: ignore[no-any-return]
    except Exception as error:  # nbformat raises whatever a malformed document makes it trip over
        raise _invalid(path) from error


def _bound_headings(content: dict[str, Any]) -> None:
    """Keep heading levels as HTML has them: nbformat writes as many `#` as version 3's cell asks for."""
    for sheet in content.get("worksheets", ()):
        for cell in sheet.get("cells", ()):
            if "level" in cell and cell["level"] not in range(1, 7):
                cell["level"] = 1


def _cells(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    cells = content.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _invalid(path)
    if len(cells) > MAX_CELLS:
        raise refused(
            path,
            f"ma za dużo komórek ({len(cells)}, a ocenia się najwyżej {MAX_CELLS}); skróć go",
            f"has {len(cells)} cells, more than the {MAX_CELLS} that are graded; shorten it",
        )
    return cells


def _invalid(path: Path) -> SubmissionError:
    return refused(
        path,
        "nie jest poprawnym notebookiem; otwórz go w Jupyterze i zapisz ponownie",
        "is not a valid notebook; open it in Jupyter and save it again",
    )


def refused(path: Path, pl: str, en: str) -> SubmissionError:
    """Return the refusal of a path: what it is, and what to do."""
    shown = printable(str(path))
    return SubmissionError(say(pl=f"{shown} {pl}.", en=f"{shown} {en}."))
