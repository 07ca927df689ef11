"""A submitted notebook as nbgrader gets it: only the text is the student's, everything else the instructor's.

nbgrader's own reading trusts ids, types, tags and outputs, and stops at what it does not expect. Ours stands in its place;
nbgrader's sanitizers come after it and find nothing to do.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader.api import Gradebook

from autograder.course.answers import Room, shown
from autograder.course.grade import how
from autograder.course.settings import Splot
from autograder.errors import SubmissionError
from autograder.grading.grade import grade
from autograder.language import speaking
from autograder.notebook.assignment import Assignment, load_assignment
from autograder.notebook.submission import Cell, read_submission
from autograder.report import Kind

MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class SubmissionExporter(NotebookExporter):
    """nbgrader's notebook exporter, but for how a submission is read. For `c.Autograde.exporter_class`."""

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Convert a notebook; raises `SubmissionError`, its report written, where a submission cannot be read."""
        ours = (resources or {}).get("nbgrader", {})
        converter: Any = self.parent
        course = converter.coursedir
        submitted, autograded = (
            Path(course.format_path(step, ours["student"], ours["assignment"]))
            for step in (course.submitted_directory, course.autograded_directory)
        )
        if Path(filename).parent != submitted:
            return super().from_filename(filename, resources, **kw)
        _drop_linked(submitted, autograded)
        settings = Splot.of(converter)
        assignment = load_assignment(ours["assignment"], settings.root)
        notebook = read_notebook(Path(filename), assignment, settings)
        _put_back(notebook, assignment, settings.root, ours)
        return self.from_notebook_node(notebook, resources, **kw)  # type: ignore[no-untyped-call, no-any-return]


def _drop_linked(submitted: Path, autograded: Path) -> None:
    """Delete nbgrader's copies of what links in a submission lead to: anybody's files, which feedback would hand out."""
    for copy in autograded.rglob("*"):
        if (submitted / copy.relative_to(autograded)).is_symlink():
            copy.unlink()


def read_notebook(path: Path, assignment: Assignment, settings: Splot) -> NotebookNode:
    """Return the submission with the instructor's metadata; cell number i has the id `cell-i`."""
    with speaking(settings.speech):
        try:
            submission = read_submission(path, assignment)
        except SubmissionError:
            grade(path, assignment, how(settings))  # ends at once in the same way, and leaves the report that says so
            raise
    metadata = _instructors_metadata(assignment, settings.root)
    room, own = Room(), {template.source for template in assignment.cells}
    with speaking(settings.speech):
        cells = [
            _node(replace(cell, locked=cell.locked or cell.source in own), f"cell-{index}", metadata, room)
            for index, cell in enumerate(submission.cells)
        ]
    return new_notebook(cells=cells)  # type: ignore[no-any-return]


def _instructors_metadata(assignment: Assignment, root: Path) -> dict[str, NotebookNode]:
    """Return the metadata of the instructor's cells by grade_id."""
    source = nbformat.read(root / "source" / assignment.name / f"{assignment.name}.ipynb", as_version=4)
    return {cell.metadata.nbgrader.grade_id: cell.metadata for cell in source.cells if "nbgrader" in cell.metadata}


def _node(cell: Cell, cell_id: str, metadata: dict[str, NotebookNode], room: Room) -> NotebookNode:
    """Return a cell as formgrader may show it: code is shown as text anyway, the instructor's own text as it is."""
    make: Any = MAKE[cell.kind]
    source = cell.source
    pictures: dict[str, dict[str, str]] = {}
    if cell.kind != "code" and not cell.locked:  # nbconvert renders raw cells as they come, too
        source, pictures = shown(source, cell.pictures, room)
    more = {"attachments": pictures} if pictures and cell.kind == "markdown" else {}
    return make(source, id=cell_id, metadata=metadata.get(cell.grade_id or "", {}), **more)  # type: ignore[no-any-return]


def _put_back(notebook: NotebookNode, assignment: Assignment, root: Path, ours: dict[str, str]) -> None:
    """Insert each written answer's cell that is gone, as released: to nbgrader, that is no response."""
    metadata = _instructors_metadata(assignment, root)
    written = {item.grade_id for item in assignment.items if item.kind is Kind.MANUAL}
    place = 0
    for template in assignment.cells:
        ids = [cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in notebook.cells]
        if template.grade_id in ids:
            place = ids.index(template.grade_id) + 1
        elif template.grade_id in written:
            with Gradebook(ours["db_url"]) as gradebook:
                source = gradebook.find_source_cell(template.grade_id, ours["notebook"], ours["assignment"]).source
            cell = Cell(template.kind, source, template.grade_id)
            notebook.cells.insert(place, _node(cell, template.grade_id, metadata, Room()))
