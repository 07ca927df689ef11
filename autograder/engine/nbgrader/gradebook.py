"""What nbgrader's `SaveAutoGrades` cannot say: a bonus above the maximum, and that a test is for a person to decide."""

from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy import Column, Float, MetaData, String, Table, delete, insert, select

from autograder.engine.nbgrader.settings import Splot
from autograder.engine.report import CellReport, Kind

TABLES = MetaData()
# What of a grade's extra credit is ours; the rest is the instructor's, and survives a regrade.
GIVEN = Table(
    "splot_bonus", TABLES, Column("grade_id", String(32), primary_key=True), Column("points", Float, nullable=False)
)


class AmendGrades(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Puts a bonus into `extra_credit`, and takes back the score of a cell that is undecided."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Amend what `SaveAutoGrades`, just before, wrote for this submission."""
        ours = resources["nbgrader"]
        cells: tuple[CellReport, ...] = resources["splot"].cells
        bonus = capped(cells, Splot.of(self.parent.parent).max_bonus)
        with Gradebook(ours["db_url"]) as gradebook:
            TABLES.create_all(gradebook.engine)
            for cell in cells:
                grade = gradebook.find_grade(cell.id, ours["notebook"], ours["assignment"], ours["student"])
                if cell.kind is not Kind.MANUAL and cell.score is None:
                    grade.auto_score, grade.needs_manual_grade = None, True
                if cell.kind is Kind.BONUS:
                    _give(gradebook.db, grade, bonus.get(cell.id, 0.0))
            gradebook.db.commit()
        return nb, resources


def capped(cells: tuple[CellReport, ...], most: float | None) -> dict[str, float]:
    """Return the bonus points by cell, in order, together at most `most`."""
    left = float("inf") if most is None else most
    bonus = {}
    for cell in cells:
        if cell.kind is Kind.BONUS and cell.score:
            bonus[cell.id] = min(cell.score, left)
            left -= bonus[cell.id]
    return bonus


def _give(session: Any, grade: Any, points: float) -> None:
    """Replace what was given before, in one transaction with the note of how much that was."""
    before = session.scalar(select(GIVEN.c.points).where(GIVEN.c.grade_id == grade.id)) or 0.0
    theirs = (grade.extra_credit or 0.0) - before
    grade.extra_credit = round(theirs + points, 4) or None
    session.execute(delete(GIVEN).where(GIVEN.c.grade_id == grade.id))
    session.execute(insert(GIVEN).values(grade_id=grade.id, points=points))
