"""Seal an evidence folder: its notebook, then the file that says all the rest is there."""

import json
import os
import shutil
from pathlib import Path

import msgspec
import nbformat
from nbformat.v4 import new_output

from autograder.evidence.reader import MAX_JSON
from autograder.evidence.records import EvidenceFile
from autograder.wholefile import PRIVATE, write_whole


def seal(folder: Path, notebook: nbformat.NotebookNode, file: EvidenceFile) -> None:
    """Write the executed notebook and, last and whole, `evidence.json`; raises `OSError` or `SplotError` on a full disk.

    Who finds `evidence.json` finds all it speaks of, after a crash of the machine too.
    """
    for path in folder.rglob("*"):
        _sync(path)
    write_whole(folder / "notebook.ipynb", written(notebook), PRIVATE)
    write_whole(folder / "evidence.json", msgspec.json.encode(file), PRIVATE)


def withdraw(folder: Path) -> None:
    """Delete the evidence that an earlier run left, `evidence.json` first; raises `OSError` where some of it stays."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    (folder / "evidence.json").unlink(missing_ok=True)
    shutil.rmtree(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def written(notebook: nbformat.NotebookNode, limit: int = MAX_JSON) -> bytes:
    """Return the executed notebook as a file of at most `limit` bytes: the largest outputs go first."""
    content: bytes = nbformat.writes(notebook).encode("utf-8", "replace")
    loud = sorted((c for c in notebook.cells if c.get("outputs")), key=lambda c: len(json.dumps(c)))
    while len(content) > limit and loud:
        loud.pop().outputs = [new_output("stream", text="[…]")]
        content = nbformat.writes(notebook).encode("utf-8", "replace")
    return content
