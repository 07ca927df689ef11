"""A submission: the student's text in the instructor's cells; reading it, checking it and writing it repaired.

Of a submitted notebook only the text of its cells is taken. Metadata and tags are dropped; types, points and the cells
whose text is fixed come from the instructor's notebook. Nothing is run.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.engine.errors import SubmissionError
from autograder.engine.files import write_whole
from autograder.engine.notebook.assignment import Assignment, TemplateCell
from autograder.engine.notebook.find import NothingToGradeError, require_own
from autograder.engine.notebook.reading import read_bytes, read_ipynb, refused
from autograder.engine.notebook.repair import Cell, Damage, repair
from autograder.engine.notebook.syntax import MAX_CODE
from autograder.engine.text import printable, say

MAX_LINES = 200_000
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # as `str.splitlines` has them, and nbformat writes them
CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # https://nbformat.readthedocs.io, "Cell ids"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Submission:
    """A submitted notebook, repaired where it was damaged; `damage` says how."""

    path: Path
    student: str
    digest: str
    cells: tuple[Cell, ...]
    damage: tuple[Damage, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, for the report, in the language in force."""
        return tuple(map(str, self.damage))


def read_submission(path: Path, assignment: Assignment) -> Submission:
    """Read the notebook at `path`; raises `SubmissionError` where it is not one, or not the student's own file.

    It is refused too where reading the source would fill memory; a right submission has 20,000 characters.
    """
    require_own(path, assignment.name)
    file = read_ipynb(path)
    cells, damage = repair(file, assignment)
    code = sum(len(cell.source) for cell in cells if cell.kind == "code")
    lines = sum(cell.source.count(end) for cell in cells for end in LINE_ENDS)
    if code > MAX_CODE or lines > MAX_LINES:
        raise refused(
            path,
            f"jest za długi (znaków kodu: {code}, wierszy: {lines}, a ocenia się najwyżej {MAX_CODE} i {MAX_LINES}); skróć go",
            f"has {code} characters of code and {lines} lines; up to {MAX_CODE} and {MAX_LINES} are graded: shorten it",
        )
    return Submission(path, student_of(path, assignment.name), file.digest, cells, damage)


def submitted_bytes(path: Path, assignment: str) -> bytes:
    """Return what stands in a submitted file, unread; raises `SubmissionError` where it is not the student's own file."""
    require_own(path, assignment)
    return read_bytes(path)


def student_of(path: Path, assignment: str) -> str:
    """Name the student after nbgrader's layout, submitted/<student>/<assignment>/<notebook>, else after the file."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link must not lend another's name
    folder = absolute.parent
    name = folder.parent.name if folder.name.casefold() == assignment.casefold() else absolute.stem
    name = absolute.name if name in {".", ".."} else name  # `...ipynb` must not lead out of the folder of reports
    return name.encode(errors="backslashreplace").decode()


def of_students(paths: list[Path], students: list[str], assignment: str) -> list[Path]:
    """Return the submissions of these students; raises `NothingToGradeError` where one of them has none."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(student_of(path, assignment), []).append(path)
    for student in students:
        if student not in found:
            known = ", ".join(sorted(found)[:10])
            raise NothingToGradeError(f"{printable(student)} has no submission here; those found are of {known}.")
    return [path for student in dict.fromkeys(students) for path in found[student]]


@dataclass(frozen=True)
class CheckResult:
    """What is wrong with one notebook; `refusal` says why it cannot be read at all."""

    path: Path
    damage: tuple[Damage, ...] = ()
    refusal: str | None = None

    @property
    def exit_code(self) -> int:
        """0 nothing is wrong, 1 damage that grading mends or ignores, 2 unreadable."""
        return 2 if self.refusal is not None else int(bool(self.damage))


def check(path: Path, assignment: Assignment) -> CheckResult:
    """Read a notebook as grading does; nothing in it is run."""
    try:
        return CheckResult(path, read_submission(path, assignment).damage)
    except SubmissionError as error:
        return CheckResult(path, refusal=str(error))


def write_fixed(path: Path, assignment: Assignment, into: Path) -> None:
    """Write the notebook at `path` to `into`, a new file, with its damage mended and its outputs left out.

    Raises `SubmissionError` where `path` cannot be read, or `into` is there already.
    """
    if os.path.lexists(into):
        raise SubmissionError(
            say(pl=f"{into} już istnieje; podaj nazwę nowego pliku.", en=f"{into} exists already; name a new file.")
        )
    cells = read_submission(path, assignment).cells
    taken = {cell.grade_id for cell in cells if cell.grade_id}
    nodes = []
    for position, cell in enumerate(cells, start=1):
        own = cell.cell_id if CELL_ID.fullmatch(cell.cell_id) and cell.cell_id not in taken else f"splot-{position}"
        name = cell.grade_id or own
        taken.add(name)
        nodes.append(_node(cell, name, assignment.by_grade_id.get(cell.grade_id or "")))
    notebook = {"cells": nodes, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    write_whole(into, json.dumps(notebook, ensure_ascii=True, indent=1).encode() + b"\n")


def _node(cell: Cell, name: str, template: TemplateCell | None) -> dict[str, Any]:
    """Return a cell in nbformat's form: the text to run, the instructor's metadata, the student's pasted images.

    nbgrader's metadata are of its schema 3; by the release's checksum of a solution it knows an untouched one.
    """
    metadata: dict[str, Any] = {}
    if template is not None:
        marking = template.marking
        ours: dict[str, Any] = {"schema_version": 3, "grade_id": template.grade_id, "cell_type": template.kind}
        ours |= {"grade": marking.grade, "locked": marking.locked, "solution": marking.solution, "task": False}
        if marking.solution and cell.checksum:
            ours["checksum"] = cell.checksum
        if marking.grade:
            ours["points"] = marking.points
        metadata["nbgrader"] = ours
    node = {"cell_type": cell.kind, "id": name, "metadata": metadata, "source": cell.source}
    if cell.kind == "code":
        return node | {"outputs": [], "execution_count": None}
    attachments = {picture.name: {picture.kind: picture.data} for picture in cell.pictures}
    return node | {"attachments": attachments} if attachments else node
