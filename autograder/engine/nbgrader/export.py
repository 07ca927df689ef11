"""`nbgrader export` into Moodle's worksheet or Canvas's gradebook: the core of `splot export`, on nbgrader's own grades.

nbgrader export --exporter=autograder.engine.nbgrader.export.MoodleExport --MoodleExport.downloaded=FILE --to=FILLED
nbgrader export --exporter=autograder.engine.nbgrader.export.CanvasExport --CanvasExport.downloaded=FILE \
    --CanvasExport.column=TITLE
"""

from pathlib import Path
from typing import Any, ClassVar

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Enum, Unicode

from autograder.engine.errors import SplotError
from autograder.engine.lms import Bonus, Filled, Grade, Rules, System, fill_file
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Item, load_assignment
from autograder.engine.pages import points
from autograder.engine.text import speaking


class LmsExport(ExportPlugin):  # type: ignore[misc]  # nbgrader has no types
    """What the two have in common; the settings are those of `splot export --help`."""

    system: ClassVar[System]
    downloaded = Unicode(help="the file as downloaded from the LMS; it stays as it is").tag(config=True)
    column = Unicode(help="the column to fill: Canvas's title or number; in Moodle only if not Grade or Ocena").tag(
        config=True
    )
    match = Unicode(help="header of the column that names students; by default the one that finds the most").tag(
        config=True
    )
    bonus = Enum([*Bonus], Bonus.CAP, help="extra credit up to full marks, also above them (add), or left out").tag(
        config=True
    )
    partial = Bool(help="also grades of which a part waits for a person").tag(config=True)
    keep = Bool(help="leave grades that the file already has").tag(config=True)
    scale = Bool(help="convert to the file's maximum").tag(config=True)
    feedback = Bool(help="Moodle: points by cell as a comment, where there is none").tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Fill the file; nbgrader says in one sentence where that cannot be done, and exits 1."""
        try:
            written, filled = self._filled(gradebook)
        except SplotError as error:
            self.parent.fail(str(error))
        else:
            for finding in filled.findings:
                self.log.warning(f"{finding.who}: {finding.matter}: {finding.detail}".removesuffix(": "))
            self.log.info("%s written, %s grades in it", written, filled.placed)

    def _filled(self, gradebook: Gradebook) -> tuple[Path, Filled]:
        settings = Splot.of(self.parent)
        with speaking(settings.speech):
            grades = read_gradebook(gradebook, settings.root, self.assignment, self.student)
        return fill_file(
            self.system,
            Path(self.downloaded) if self.downloaded else None,
            Path(self.to) if self.to else None,
            grades,
            Rules(Bonus(self.bonus), self.partial, self.keep, self.scale, self.match or None),
            assignment=self.column or None,
            feedback=self.feedback,
        )


class MoodleExport(LmsExport):
    """Fills Moodle's offline grading worksheet."""

    system = System.MOODLE


class CanvasExport(LmsExport):
    """Fills Canvas's exported gradebook."""

    system = System.CANVAS


def read_gradebook(gradebook: Gradebook, course: Path, assignments: list[str], students: list[str]) -> list[Grade]:
    """Return one assignment's grades, of these students or all; raises `SplotError` unless it is one assignment."""
    found = [entry for entry in gradebook.assignments if not assignments or entry.name in assignments]
    if len(found) != 1:
        names = ", ".join(entry.name for entry in gradebook.assignments)
        raise SplotError(f"Name one assignment with --assignment='[\"…\"]'; the gradebook has {names or 'none'}.")
    items = load_assignment(found[0].name, course).items
    wanted = {str(student) for student in students}
    submissions = sorted(found[0].submissions, key=lambda submission: str(submission.student.id))
    return [_grade(submission, items) for submission in submissions if not wanted or submission.student.id in wanted]


def _grade(submission: Any, items: tuple[Item, ...]) -> Grade:
    """Return a submission's grade as it stands, its extra credit apart; what lateness costs is taken from both."""
    grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
    student = submission.student
    aliases = tuple(filter(None, (student.email, student.lms_user_id)))
    if all(grade.auto_score is None and grade.manual_score is None for grade in grades.values()):
        return Grade(student.id, None, submission.max_score, reason="it has not been autograded", aliases=aliases)
    extra = sum(grade.extra_credit or 0.0 for grade in grades.values())
    total = max(0.0, submission.score - (submission.late_submission_penalty or 0.0))
    bonus = max(0.0, min(extra, total))
    return Grade(
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
