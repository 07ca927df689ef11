"""Grade a submission in nbgrader's own pipeline, in the place of `Execute`, which would run student code beside the answers."""

from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.course.cells import graded_outputs
from autograder.course.marking import beside, flagged
from autograder.course.outputs import safe_outputs
from autograder.course.settings import Splot
from autograder.errors import EvidenceError, GraderError
from autograder.evidence.reader import Evidence
from autograder.grading.grade import grade, regrade
from autograder.grading.task import Grading, folder_of
from autograder.language import speaking
from autograder.measuring.findings import Findings, read_findings
from autograder.notebook.assignment import Assignment, load_assignment
from autograder.notebook.ipynb import read_ipynb
from autograder.notebook.overlap import refuse_overlap
from autograder.notebook.submission import student_of
from autograder.report import Kind, Outcome, Profile, Report
from autograder.sandbox import SandboxKind


class Grade(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Collects and judges a submission, and puts into each graded cell what the student should read and the score.

    `nbgrader autograde --no-execute` judges the stored evidence again. The outputs of a submitted notebook count for
    nothing either way.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Grade; raises `GraderError` where there are no points to give, so that nbgrader gives none."""
        converter = self.parent.parent
        settings = Splot.of(converter)
        ours = resources["nbgrader"]
        assignment = load_assignment(ours["assignment"], settings.root)
        path = _submitted(converter.coursedir, ours)
        run = self.config.Execute.get("enabled", True)
        report = _report(path, assignment, settings, run=run)
        if report.status is Outcome.UNGRADED:
            raise GraderError(f"{ours['student']} has no grade: {report.reason}")
        self.log.info("%s: %s of %s points, bonus %s", report.student, report.score, report.max_score, report.bonus)
        evidence = Evidence(folder_of(settings.out, report.student, assignment) / "evidence")
        with speaking(settings.speech):
            _fill(nb, report, evidence)
        resources["splot"] = report
        return nb, resources


def how(settings: Splot) -> Grading:
    """Return the settings as `splot grade` takes them."""
    return Grading(
        out=settings.out,
        profile=Profile(settings.profile),
        lang=settings.speech,
        sandbox=SandboxKind(settings.sandbox),
        time_limit=settings.time_limit,
        group=settings.group,
    )


def _submitted(coursedir: Any, ours: dict[str, str]) -> Path:
    """Return the path of the submission itself: the same file gives the same probes, whoever grades it."""
    folder = coursedir.format_path(coursedir.submitted_directory, ours["student"], ours["assignment"])
    path = Path(folder, f"{ours['notebook']}.ipynb")
    if student_of(path, ours["assignment"]) != ours["student"]:
        raise GraderError(f"{path} is not below <student>/{ours['assignment']}/; keep nbgrader's directory_structure.")
    return path


def _report(path: Path, assignment: Assignment, settings: Splot, *, run: bool) -> Report:
    folder = folder_of(settings.out, student_of(path, assignment.name), assignment)
    refuse_overlap({path: folder}, assignment.name, settings.out, of_class=True)
    if run:
        return grade(path, assignment, how(settings))
    if Evidence(folder / "evidence").file.digest != read_ipynb(path).digest:
        raise GraderError(f"The evidence in {folder} is not of {path}; autograde it without --no-execute.")
    return regrade(folder, assignment, settings.speech)


def _fill(notebook: NotebookNode, report: Report, evidence: Evidence) -> None:
    """Give each cell its outputs, and a person what is needed to mark written answers, and what is worth a look."""
    executed = {f"cell-{index}": cell for index, cell in enumerate(evidence.notebook.cells)}
    cells = {cell.id: cell for cell in report.cells}
    findings = _findings(evidence)
    filled = []
    for node in notebook.cells:
        meta = node.metadata.get("nbgrader", {})
        cell = cells.get(meta.get("grade_id", ""))
        if cell is not None and cell.kind is Kind.MANUAL:
            filled.append(beside(cell, report, findings))
        if cell is not None and cell.kind is Kind.AUTO and meta["points"] != cell.points:
            raise GraderError(
                f"{cell.id} is worth {meta['points']:g} points in the gradebook and {cell.points:g} in source/; "
                f"run `nbgrader generate_assignment {report.assignment} --force`."
            )
        if node.cell_type == "code":
            ran = executed[node.id].outputs if node.id in executed else []
            node.outputs = graded_outputs(cell, report.profile) if cell is not None else safe_outputs(ran)
        filled.append(node)
    notebook.cells = [*flagged(report), *filled]


def _findings(evidence: Evidence) -> Findings:
    """Return what the judge left of the models; nothing where it could not."""
    try:
        return read_findings(evidence.folder)
    except EvidenceError:
        return Findings()
