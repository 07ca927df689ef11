"""Read a submitted notebook against the instructor's: what the student wrote, in the instructor's frame.

Of a submission only the text of its cells is taken. Metadata and tags are dropped, locked cells come from the
instructor's notebook, and a locked cell that is gone is put back where it belongs. Nothing a student wrote is lost:
cells without an id stay in place, doubled cells all run and the last one holds the id.
"""

import hashlib
import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat

from autograder.assignment import Assignment, TemplateCell
from autograder.errors import SubmissionError
from autograder.language import say

MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class Cell:
    """A cell to run: its text, and the instructor's id where it holds one."""

    kind: str
    source: str
    grade_id: str | None = None
    locked: bool = False
    cell_id: str = ""


@dataclass(frozen=True)
class Submission:
    """A submitted notebook, repaired where it was damaged; `notes` say how."""

    path: Path
    student: str
    digest: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]


def read_submission(path: Path, assignment: Assignment) -> Submission:
    """Read the notebook at `path`; raises `SubmissionError` where it is not one."""
    raw = _bytes(path)
    notebook, notes = _notebook(raw, path)
    cells = [_identify(cell, assignment) for cell in notebook.cells]
    cells, doubled = _keep_last(cells)
    cells, restored = _restore(cells, assignment)
    cells, returned = _put_back(cells, assignment)
    return Submission(
        path=path,
        student=student_of(path, assignment.name),
        digest=hashlib.sha256(raw).hexdigest(),
        cells=tuple(cells),
        notes=tuple(notes + doubled + restored + returned),
    )


def student_of(path: Path, assignment: str) -> str:
    """Name the student after nbgrader's layout, submitted/<student>/<assignment>/<notebook>, else after the file."""
    resolved = path.resolve()
    return resolved.parent.parent.name if resolved.parent.name == assignment else path.stem


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SubmissionError(
                f"{path} is larger than {MAX_BYTES // 1_000_000} MB; clear its outputs and submit it again."
            )
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from error


def _notebook(raw: bytes, path: Path) -> tuple[Any, list[str]]:
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not UTF-8 text (byte {error.start}); save it again from Jupyter.") from error
    except (ValueError, RecursionError) as error:
        what = "is empty" if not raw.strip() else "is truncated or not JSON"
        raise SubmissionError(f"{path} {what}; save it again from Jupyter.") from error
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise SubmissionError(f"{path} is JSON but not a Jupyter notebook; submit the .ipynb file itself.")
    notes = []
    if document["nbformat"] < 4:
        notes.append(
            say(
                pl=f"Notatnik był w starym formacie nbformat {document['nbformat']}; przeliczono go na format 4.",
                en=f"The notebook was in the old nbformat {document['nbformat']}; it was converted to format 4.",
            )
        )
    return _upgrade(document, path), notes


def _upgrade(document: dict[str, Any], path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.convert(nbformat.from_dict(document), 4)
        for cell in notebook.cells:
            source = cell.get("source", "")
            cell.source = "".join(source) if isinstance(source, list) else str(source)
            cell.cell_type = str(cell.cell_type)
    except Exception as error:  # nbformat raises whatever a malformed document makes it trip over
        raise SubmissionError(
            f"{path} is not a valid notebook ({type(error).__name__}); open it in Jupyter and save it again."
        ) from error
    return notebook


def _identify(cell: Any, assignment: Assignment) -> Cell:
    """Find the instructor's cell this one is: by nbgrader's id, by the notebook's, by a locked cell's text."""
    known = assignment.by_grade_id
    meta = cell.get("metadata", {})
    nbgrader = meta.get("nbgrader", {}) if isinstance(meta, dict) else {}
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    cell_id = str(cell.get("id", ""))
    if grade_id not in known:
        grade_id = next(
            (
                other.grade_id
                for other in assignment.cells
                if other.grade_id and (other.cell_id == cell_id or (other.locked and other.source == cell.source))
            ),
            None,
        )
    return Cell(kind=cell.cell_type, source=cell.source, grade_id=grade_id, cell_id=cell_id)


def _keep_last(cells: list[Cell]) -> tuple[list[Cell], list[str]]:
    """Let only the last of doubled cells hold the id."""
    last = {cell.grade_id: index for index, cell in enumerate(cells) if cell.grade_id}
    kept, notes = [], []
    for index, cell in enumerate(cells):
        if cell.grade_id and last[cell.grade_id] != index:
            notes.append(
                say(
                    pl=f"Komórka {cell.grade_id} występuje więcej niż raz; oceniono ostatnią.",
                    en=f"Cell {cell.grade_id} occurs more than once; the last one was graded.",
                )
            )
            kept.append(replace(cell, grade_id=None))
        else:
            kept.append(cell)
    return kept, list(dict.fromkeys(notes))


def _restore(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Give locked cells the instructor's text and type, and the others the instructor's type."""
    restored, notes = [], []
    for cell in cells:
        template = assignment.by_grade_id.get(cell.grade_id or "")
        if template is None:
            restored.append(cell)
            continue
        if template.kind != cell.kind or (template.locked and template.source.strip() != cell.source.strip()):
            notes.append(
                say(
                    pl=f"Komórka {cell.grade_id} była zmieniona; przywrócono jej postać z oryginału.",
                    en=f"Cell {cell.grade_id} had been changed; it was restored from the original.",
                )
            )
        restored.append(
            replace(
                cell,
                kind=template.kind,
                source=template.source if template.locked else cell.source,
                locked=template.locked,
            )
        )
    return restored, notes


def _put_back(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], list[str]]:
    """Insert each locked cell that is gone before the next cell of the instructor's notebook that is there."""
    present = {cell.grade_id for cell in cells}
    notes = []
    for index, template in enumerate(assignment.cells):
        if template.grade_id and template.locked and template.grade_id not in present:
            cells.insert(_place(cells, assignment.cells[index + 1 :]), _as_cell(template))
            present.add(template.grade_id)
            notes.append(
                say(
                    pl=f"Brakowało komórki {template.grade_id}; wstawiono ją z powrotem na jej miejsce.",
                    en=f"Cell {template.grade_id} was missing; it was put back in its place.",
                )
            )
    return cells, notes


def _place(cells: list[Cell], after: tuple[TemplateCell, ...]) -> int:
    for template in after:
        for index, cell in enumerate(cells):
            if (template.grade_id and cell.grade_id == template.grade_id) or (
                cell.cell_id and cell.cell_id == template.cell_id
            ):
                return index
    return len(cells)


def _as_cell(template: TemplateCell) -> Cell:
    return Cell(template.kind, template.source, template.grade_id, locked=True, cell_id=template.cell_id)
