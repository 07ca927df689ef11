"""`nbgrader generate_feedback` gives our page, made again with what the gradebook holds: points, comments, a late penalty."""

from typing import Any

from nbconvert.exporters import Exporter
from nbgrader.api import Gradebook

from autograder.engine.errors import GraderError
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Assignment, load_assignment
from autograder.engine.pages import Mark, write_feedback
from autograder.engine.report import CellReport, Kind, read_report
from autograder.engine.text import say, speaking

SAME = 1e-6  # points


class FeedbackExporter(Exporter):
    """Of the autograded notebook, where marking schemes stand, nothing is read. For `c.GenerateFeedback.exporter_class`."""

    file_extension = ".html"

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **_: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the page of the submission behind an autograded notebook; raises `GraderError` where it has no report."""
        resources = self._init_resources(resources or {})  # type: ignore[no-untyped-call]
        ours = resources["nbgrader"]
        settings = Splot.of(self.parent)
        assignment = load_assignment(ours["assignment"], settings.root)
        folder = settings.out / ours["student"] / assignment.name
        if not (folder / "report.json").is_file():
            raise GraderError(f"{folder} holds no report of {filename}; autograde this submission again.")
        cells = read_report(folder / "report.json").cells
        with Gradebook(ours["db_url"]) as gradebook, speaking(settings.speech):
            notebook = gradebook.find_submission_notebook(ours["notebook"], ours["assignment"], ours["student"])
            marks = marks_of(notebook, cells, assignment)
            penalty = notebook.late_submission_penalty or 0.0
        page = write_feedback(folder, assignment, settings.speech, marks, penalty=penalty)
        return page.read_text("utf-8"), resources


def marks_of(notebook: Any, cells: tuple[CellReport, ...], assignment: Assignment) -> dict[str, Mark]:
    """Return what the gradebook says of a submission's cells beyond the report: other points, and comments."""
    grades = {grade.name: grade for grade in notebook.grades}
    comments = {comment.name: comment for comment in notebook.comments}
    heard = _heard_at(assignment)
    marks = {}
    for cell in cells:
        grade = grades[cell.id]
        said = "\n".join(_said(cell, comments[name]) for name in heard.get(cell.id, ()) if name in comments).strip()
        score = _standing(cell, grade)
        if score is not None or said:
            marks[cell.id] = Mark(score, grade.max_score, said)
    return marks


def _standing(cell: CellReport, grade: Any) -> float | None:
    """Return the points that stand where they are not the report's own; None where a person has still to decide."""
    extra = grade.extra_credit if cell.kind is Kind.BONUS else None
    if grade.manual_score is None and grade.auto_score is None and extra is None:
        return None
    same = cell.score is not None and abs(grade.score - cell.score) < SAME
    return None if same else float(grade.score)


def _heard_at(assignment: Assignment) -> dict[str, list[str]]:
    """Return, for each graded cell, the cells whose comments it shows: itself, and the solutions since the last one."""
    graded = {item.grade_id for item in assignment.items}
    heard: dict[str, list[str]] = {}
    waiting: list[str] = []
    for template in assignment.cells:
        if template.grade_id:
            waiting.append(template.grade_id)
        if template.grade_id in graded:
            heard[template.grade_id], waiting = waiting, []
    return heard


def _said(cell: CellReport, comment: Any) -> str:
    """Return a person's comment, or nbgrader's own on a written answer: that there is none."""
    if comment.manual_comment:
        return str(comment.manual_comment)
    if cell.kind is Kind.MANUAL and comment.auto_comment:
        return say(pl="Brak odpowiedzi.", en="No response.")
    return ""
