"""nbgrader's gradebook: writes bonus points and undecided cells to it, makes feedback pages and LMS files from it.

nbgrader export --exporter=autograder.engine.nbgrader.gradebook.MoodleExport --MoodleExport.downloaded=FILE --to=FILLED
nbgrader export --exporter=autograder.engine.nbgrader.gradebook.CanvasExport --CanvasExport.downloaded=FILE \
    --CanvasExport.column=TITLE
"""

from pathlib import Path
from typing import Any, ClassVar

from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy import Column, Float, MetaData, String, Table, delete, insert, select
from traitlets import Bool, Enum, Unicode

from autograder.engine.errors import SplotError
from autograder.engine.lms import HELP, Bonus, Rules, StudentGrade, System, fill_file
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Assignment, Item, load_assignment
from autograder.engine.pages import Mark, read_result, write_feedback
from autograder.engine.report import CellReport, Kind
from autograder.engine.text import in_language, points, say

TABLES = MetaData()
# The part of a grade's extra credit that Splot wrote; the rest is the instructor's and is kept in a regrade.
BONUSES = Table(
    "splot_bonus", TABLES, Column("grade_id", String(32), primary_key=True), Column("points", Float, nullable=False)
)
POINTS_TOLERANCE = 1e-6  # points


class AmendGrades(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader preprocessor that writes the bonus to `extra_credit` and removes the score of an undecided cell.

    nbgrader's `SaveAutoGrades`, just before it, knows neither.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Correct this submission's grades in the gradebook."""
        ours = resources["nbgrader"]
        cells: tuple[CellReport, ...] = resources["splot"].cells
        bonus = capped(cells, Splot.from_converter(self.parent.parent).max_bonus)
        with Gradebook(ours["db_url"]) as gradebook:
            TABLES.create_all(gradebook.engine)
            session = gradebook.db
            for cell in cells:
                grade = gradebook.find_grade(cell.id, ours["notebook"], ours["assignment"], ours["student"])
                if cell.kind is not Kind.MANUAL and cell.score is None:
                    grade.auto_score, grade.needs_manual_grade = None, True
                if cell.kind is Kind.BONUS:
                    # The earlier bonus is replaced, in one transaction with the record of its amount.
                    before = session.scalar(select(BONUSES.c.points).where(BONUSES.c.grade_id == grade.id)) or 0.0
                    given = bonus.get(cell.id, 0.0)
                    grade.extra_credit = round((grade.extra_credit or 0.0) - before + given, 4) or None
                    session.execute(delete(BONUSES).where(BONUSES.c.grade_id == grade.id))
                    session.execute(insert(BONUSES).values(grade_id=grade.id, points=given))
            session.commit()
        return nb, resources


def capped(cells: tuple[CellReport, ...], most: float | None) -> dict[str, float]:
    """Return the bonus points by cell, in order, limited to `most` in total."""
    left = float("inf") if most is None else most
    bonus = {}
    for cell in cells:
        if cell.kind is Kind.BONUS and cell.score:
            bonus[cell.id] = min(cell.score, left)
            left -= bonus[cell.id]
    return bonus


class FeedbackExporter(Exporter):
    """nbgrader exporter that makes Splot's feedback page, with the gradebook's points, comments and late penalty.

    Of the autograded notebook, where marking schemes stand, nothing is read. For `c.GenerateFeedback.exporter_class`.
    """

    file_extension = ".html"

    def from_filename(
        self,
        filename: str,  # noqa: ARG002 - the autograded notebook
        resources: dict[str, Any] | None = None,
        **_: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Return the page of the submission behind an autograded notebook; raises `SplotError` where it has no report."""
        resources = self._init_resources(resources or {})  # type: ignore[no-untyped-call]
        ours = resources["nbgrader"]
        settings = Splot.from_converter(self.parent)
        assignment = load_assignment(ours["assignment"], settings.root)
        folder = settings.grading().out / ours["student"] / assignment.name
        cells = read_result(folder).cells
        with Gradebook(ours["db_url"]) as gradebook, in_language(settings.language):
            notebook = gradebook.find_submission_notebook(ours["notebook"], ours["assignment"], ours["student"])
            marks = _marks_of(notebook, cells, assignment)
            penalty = notebook.late_submission_penalty or 0.0
        page = write_feedback(folder, assignment, settings.language, marks, penalty=penalty)
        return page.read_text("utf-8"), resources


def _marks_of(notebook: Any, cells: tuple[CellReport, ...], assignment: Assignment) -> dict[str, Mark]:
    """Return what the gradebook says of a submission's cells beyond the report: other points, and comments."""
    grades = {grade.name: grade for grade in notebook.grades}
    comments = {comment.name: comment for comment in notebook.comments}
    commented = _commented_at(assignment)
    marks = {}
    for cell in cells:
        grade = grades[cell.id]
        texts = []
        for comment in (comments[name] for name in commented.get(cell.id, ()) if name in comments):
            if comment.manual_comment:
                texts.append(str(comment.manual_comment))
            elif cell.kind is Kind.MANUAL and comment.auto_comment:  # nbgrader's automatic comment: "No response."
                texts.append(say(pl="Brak odpowiedzi.", en="No response."))
        text = "\n".join(texts).strip()
        extra = grade.extra_credit if cell.kind is Kind.BONUS else None
        decided = not (grade.manual_score is None and grade.auto_score is None and extra is None)
        differs = decided and (cell.score is None or abs(grade.score - cell.score) >= POINTS_TOLERANCE)
        if differs or text:
            marks[cell.id] = Mark(float(grade.score) if differs else None, grade.max_score, text)
    return marks


def _commented_at(assignment: Assignment) -> dict[str, list[str]]:
    """Return, for each graded cell, the cells whose comments it shows: itself, and the solutions since the last one."""
    graded = {item.grade_id for item in assignment.items}
    shown: dict[str, list[str]] = {}
    waiting: list[str] = []
    for template in assignment.cells:
        if template.grade_id:
            waiting.append(template.grade_id)
        if template.grade_id in graded:
            shown[template.grade_id], waiting = waiting, []
    return shown


class LmsExport(ExportPlugin):  # type: ignore[misc]  # nbgrader has no types
    """What the two exports have in common: `splot export`, with its options, on nbgrader's own grades."""

    system: ClassVar[System]
    downloaded = Unicode(help="the file as downloaded from the LMS; it stays as it is").tag(config=True)
    column = Unicode(help=HELP["column"]).tag(config=True)
    match = Unicode(help=HELP["match"]).tag(config=True)
    bonus = Enum([*Bonus], Rules.bonus, help=HELP["bonus"]).tag(config=True)
    partial = Bool(help=HELP["partial"]).tag(config=True)
    keep = Bool(help=HELP["keep"]).tag(config=True)
    scale = Bool(help=HELP["scale"]).tag(config=True)
    feedback = Bool(help=HELP["feedback"]).tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Fill the file; if that fails, nbgrader prints one sentence and exits with code 1."""
        settings = Splot.from_converter(self.parent)
        bonus = Bonus(self.bonus)  # the trait keeps a string
        rules = Rules(
            self.column or None, self.match or None, bonus, self.partial, self.keep, self.scale, self.feedback
        )
        downloaded, out = (Path(path) if path else None for path in (self.downloaded, self.to))
        try:
            with in_language(settings.language):
                grades = read_gradebook(gradebook, settings.root, self.assignment, self.student)
            written, filled = fill_file(self.system, downloaded, out, grades, rules)
        except SplotError as error:
            self.parent.fail(str(error))
        else:
            for issue in filled.issues:
                self.log.warning(f"{issue.who}: {issue.kind}: {issue.detail}".removesuffix(": "))
            self.log.info("%s written, %s grades in it", written, filled.placed)


class MoodleExport(LmsExport):
    """Fills Moodle's offline grading worksheet."""

    system = System.MOODLE


class CanvasExport(LmsExport):
    """Fills Canvas's exported gradebook."""

    system = System.CANVAS


def read_gradebook(
    gradebook: Gradebook, course: Path, assignments: list[str], students: list[str]
) -> list[StudentGrade]:
    """Return one assignment's grades, of these students or all; raises `SplotError` unless it is one assignment."""
    found = [entry for entry in gradebook.assignments if not assignments or entry.name in assignments]
    if len(found) != 1:
        names = ", ".join(entry.name for entry in gradebook.assignments)
        raise SplotError(f"Name one assignment with --assignment='[\"…\"]'; the gradebook has {names or 'none'}.")
    items = load_assignment(found[0].name, course).items
    wanted = {str(student) for student in students}
    submissions = sorted(found[0].submissions, key=lambda submission: str(submission.student.id))
    return [_grade(submission, items) for submission in submissions if not wanted or submission.student.id in wanted]


def _grade(submission: Any, items: tuple[Item, ...]) -> StudentGrade:
    """Return a submission's grade, with the bonus separate; a late penalty is taken off both."""
    grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
    student = submission.student
    aliases = tuple(filter(None, (student.email, student.lms_user_id)))
    if all(grade.auto_score is None and grade.manual_score is None for grade in grades.values()):
        return StudentGrade(
            student.id, None, submission.max_score, reason="it has not been autograded", aliases=aliases
        )
    extra = sum(grade.extra_credit or 0.0 for grade in grades.values())
    total = max(0.0, submission.score - (submission.late_submission_penalty or 0.0))
    bonus = max(0.0, min(extra, total))
    return StudentGrade(
        student=student.id,
        score=round(total - bonus, 4),
        max_score=submission.max_score,
        bonus=round(bonus, 4),
        open=tuple(name for name, grade in grades.items() if grade.needs_manual_grade),
        comment="; ".join(
            f"{item.title}: {points(grades[item.grade_id].score)} / {points(item.points)}" for item in items
        ),
        aliases=aliases,
    )
