"""Read a submitted notebook against the instructor's: what the student wrote, in the instructor's frame.

Of a submission only the text of its cells is taken. Metadata and tags are dropped, locked cells come from the
instructor's notebook, and a locked cell that is gone is put back where it belongs. Nothing a student wrote is lost:
cells without an id stay in place, doubled cells all run and the last one holds the id.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.assignment import Assignment, TemplateCell
from autograder.ipynb import FoundCell, read_ipynb, valid_text
from autograder.language import say


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
    file = read_ipynb(path)
    cells = [_identify(cell, assignment) for cell in file.cells]
    cells, doubled = _keep_last(cells)
    cells, restored = _restore(cells, assignment)
    cells, returned = _put_back(cells, assignment)
    return Submission(
        path=path,
        student=student_of(path, assignment.name),
        digest=file.digest,
        cells=tuple(cells),
        notes=(*file.notes, *doubled, *restored, *returned),
    )


def student_of(path: Path, assignment: str) -> str:
    """Name the student after nbgrader's layout, submitted/<student>/<assignment>/<notebook>, else after the file."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link must not lend another's name
    return valid_text(absolute.parent.parent.name if absolute.parent.name == assignment else absolute.stem)


def _identify(found: FoundCell, assignment: Assignment) -> Cell:
    """Find the instructor's cell this one is: by nbgrader's id, by the notebook's, by a locked cell's text."""
    grade_id = found.grade_id
    if grade_id not in assignment.by_grade_id:
        grade_id = next(
            (
                other.grade_id
                for other in assignment.cells
                if other.grade_id
                and (other.cell_id == found.cell_id or (other.locked and other.source == found.source))
            ),
            None,
        )
    return Cell(found.kind, found.source, grade_id, cell_id=found.cell_id)


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
                    pl=f"Komórka {cell.grade_id} była zmieniona; przywrócono jej pierwotną postać.",
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
    """Insert each locked cell that is gone where it stands in the instructor's notebook."""
    present = {cell.grade_id for cell in cells}
    notes = []
    for index, template in enumerate(assignment.cells):
        if template.grade_id and template.locked and template.grade_id not in present:
            cells.insert(_place(cells, assignment.cells[:index], assignment.cells[index + 1 :]), _as_cell(template))
            present.add(template.grade_id)
            notes.append(
                say(
                    pl=f"Brakowało komórki {template.grade_id}; wstawiono ją z powrotem na swoje miejsce.",
                    en=f"Cell {template.grade_id} was missing; it was put back in its place.",
                )
            )
    return cells, notes


def _place(cells: list[Cell], before: tuple[TemplateCell, ...], after: tuple[TemplateCell, ...]) -> int:
    """Return the place before the next of the instructor's cells, past the nearest earlier one: cells may have moved."""
    earlier = next((index for template in reversed(before) if (index := _index(cells, template)) is not None), -1)
    places = (_index(cells, template) for template in after)
    return next((index for index in places if index is not None and index > earlier), len(cells))


def _index(cells: list[Cell], template: TemplateCell) -> int | None:
    for index, cell in enumerate(cells):
        if (template.grade_id and cell.grade_id == template.grade_id) or (
            cell.cell_id and cell.cell_id == template.cell_id
        ):
            return index
    return None


def _as_cell(template: TemplateCell) -> Cell:
    return Cell(template.kind, template.source, template.grade_id, locked=True, cell_id=template.cell_id)
