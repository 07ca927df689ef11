"""Check a notebook against the instructor's without running anything, and write it mended as grading would take it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.errors import SubmissionError
from autograder.engine.files import write_whole
from autograder.engine.notebook.assignment import Assignment, TemplateCell
from autograder.engine.notebook.damage import Damaged
from autograder.engine.notebook.reading import read_document
from autograder.engine.notebook.repair import Cell
from autograder.engine.notebook.submission import read_submission
from autograder.engine.text import say

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Checked:
    """What is wrong with one notebook; `refusal` says why it cannot be read at all."""

    path: Path
    damage: tuple[Damaged, ...] = ()
    refusal: str | None = None

    @property
    def exit_code(self) -> int:
        """0 nothing is wrong, 1 damage that grading mends or bears, 2 unreadable."""
        return 2 if self.refusal is not None else int(bool(self.damage))


def check(path: Path, assignment: Assignment) -> Checked:
    """Read a notebook as grading does; nothing in it is run."""
    try:
        return Checked(path, read_submission(path, assignment).damage)
    except SubmissionError as error:
        return Checked(path, refusal=str(error))


def write_fixed(path: Path, assignment: Assignment, into: Path) -> None:
    """Write the notebook at `path` to `into`, a new file, with its damage mended and its outputs left out.

    Raises `SubmissionError` where `path` cannot be read, or `into` is there already.
    """
    if os.path.lexists(into):
        raise SubmissionError(
            say(pl=f"{into} już istnieje; podaj nazwę nowego pliku.", en=f"{into} exists already; name a new file.")
        )
    cells = read_submission(path, assignment).cells
    write_whole(into, _fixed(path, cells, assignment))


def _fixed(path: Path, cells: tuple[Cell, ...], assignment: Assignment) -> bytes:
    document = read_document(path)
    taken = {cell.grade_id for cell in cells if cell.grade_id}
    nodes = []
    for position, cell in enumerate(cells, start=1):
        own = cell.cell_id if _is_cell_id(cell.cell_id) and cell.cell_id not in taken else f"splot-{position}"
        name = cell.grade_id or own
        taken.add(name)
        origin = document.cells[cell.number - 1] if cell.number else {}
        nodes.append(_node(cell, name, origin, assignment.by_grade_id.get(cell.grade_id or "")))
    notebook = {"cells": nodes, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=True, indent=1).encode() + b"\n"


def _is_cell_id(name: str) -> bool:
    """Whether nbformat takes a name for a cell's id (https://nbformat.readthedocs.io, "Cell ids")."""
    return 0 < len(name) <= 64 and name.isascii() and all(c.isalnum() or c in "-_" for c in name)


def _node(cell: Cell, name: str, origin: dict[str, Any], template: TemplateCell | None) -> dict[str, Any]:
    """Return a cell in nbformat's form: the text to run, the instructor's metadata, the student's pasted images."""
    metadata = {"nbgrader": _nbgrader(template, origin)} if template else {}
    node = {"cell_type": cell.kind, "id": name, "metadata": metadata, "source": cell.source}
    if cell.kind == "code":
        return node | {"outputs": [], "execution_count": None}
    attachments = {picture.name: {picture.kind: picture.data} for picture in cell.pictures}
    return node | {"attachments": attachments} if attachments else node


def _nbgrader(template: TemplateCell, origin: dict[str, Any]) -> dict[str, Any]:
    """Return nbgrader's metadata, schema 3; by the release's checksum of a solution nbgrader knows an untouched one."""
    marking = template.marking
    made = {"schema_version": 3, "grade_id": template.grade_id, "cell_type": template.kind, "task": False}
    made |= {"grade": marking.grade, "locked": marking.locked, "solution": marking.solution}
    metadata = origin.get("metadata")
    claims = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    checksum = claims.get("checksum") if isinstance(claims, dict) and marking.solution else None
    made |= {"checksum": checksum} if isinstance(checksum, str) and len(checksum) == 32 else {}
    return made | ({"points": marking.points} if marking.grade else {})
