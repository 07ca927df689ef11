"""nbgrader preprocessor that grades a submission, instead of `Execute`, which would run student code unconfined."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.engine.errors import GraderError
from autograder.engine.evidence import Evidence
from autograder.engine.grading import folder_of, grade, regrade
from autograder.engine.lesson import Lesson, find_lesson
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Assignment, joined_text, load_assignment, read_ipynb, refuse_overlap, student_of
from autograder.engine.pages import by_message, figures, findings_of
from autograder.engine.report import CellReport, Kind, Outcome, Report, Status
from autograder.engine.sandbox import require
from autograder.engine.text import in_language, points, printable, say

SYMBOLS = {True: "✓", False: "✗", None: "?"}
COLUMNS = 72  # formgrader does not wrap what a cell printed
INDENT = " " * 4
SAFE = ("text/plain", "image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


class Grade(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Collects and judges a submission, and writes the score and messages into each graded cell.

    `nbgrader autograde --no-execute` judges the stored evidence again. The outputs of a submitted notebook are ignored
    in both cases.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Grade a submission; raises `GraderError` if it is ungraded, so that nbgrader records no score."""
        converter = self.parent.parent
        settings = Splot.from_converter(converter)
        student, name = resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]
        assignment = load_assignment(name, settings.root)
        # The path of the submission itself: the same file gives the same probes, whoever grades it.
        submitted = converter.coursedir.format_path(converter.coursedir.submitted_directory, student, name)
        path = Path(submitted, f"{resources['nbgrader']['notebook']}.ipynb")
        if student_of(path, name) != student:
            raise GraderError(f"{path} is not below <student>/{name}/; keep nbgrader's directory_structure.")
        report = _report(path, assignment, settings, run=self.config.Execute.get("enabled", True))
        if report.status is Outcome.UNGRADED:
            raise GraderError(f"{student} has no grade: {report.reason}")
        self.log.info("%s: %s of %s points, bonus %s", report.student, report.score, report.max_score, report.bonus)
        evidence = Evidence(folder_of(settings.grading().out, report.student, assignment) / "evidence")
        with in_language(settings.language):
            fill_notebook(nb, report, evidence, assignment)
        resources["splot"] = report
        return nb, resources


def _report(path: Path, assignment: Assignment, settings: Splot, *, run: bool) -> Report:
    how = settings.grading()
    folder = folder_of(how.out, student_of(path, assignment.name), assignment)
    refuse_overlap({path: folder}, assignment.name, how.out, of_class=True)
    if run:
        if how.gpu:  # tried here, once for all students
            require(how.sandbox, gpu=True)
        return grade(path, assignment, how)
    if Evidence(folder / "evidence").file.digest != read_ipynb(path).digest:
        raise GraderError(f"The evidence in {folder} is not of {path}; autograde it without --no-execute.")
    return regrade(folder, assignment, how.lang)


def fill_notebook(notebook: NotebookNode, report: Report, evidence: Evidence, assignment: Assignment) -> None:
    """Fill in each cell's outputs and score, and insert marking schemes and flags for the instructor."""
    executed = {f"cell-{index}": cell for index, cell in enumerate(evidence.notebook.cells)}
    cells = {cell.id: cell for cell in report.cells}
    lesson = find_lesson(assignment.lesson)
    schemes = {item.grade_id: item.scheme for item in assignment.items}
    findings = findings_of(report, evidence.folder.parent, lesson.findings)
    filled = flagged(report, lesson)
    for node in notebook.cells:
        meta = node.metadata.get("nbgrader", {})
        cell = cells.get(meta.get("grade_id", ""))
        if cell is not None and cell.kind is Kind.MANUAL:
            filled.append(_scheme(cell, [schemes.get(cell.id, ""), *lesson.marking_notes(cell, report, findings)]))
        if cell is not None and cell.kind is Kind.AUTO and meta["points"] != cell.points:
            raise GraderError(
                f"{cell.id} is worth {meta['points']:g} points in the gradebook and {cell.points:g} in source/; "
                f"run `nbgrader generate_assignment {report.assignment} --force`."
            )
        if node.cell_type == "code":
            ran = executed[node.id].outputs if node.id in executed else []
            node.outputs = safe_outputs(ran)
        if node.cell_type == "code" and cell is not None:
            # nbgrader takes a numeric result as the score. A bonus is stored elsewhere, and an undecided cell has
            # none: both get 0 here, and `AmendGrades` corrects that.
            score = cell.score if cell.kind is Kind.AUTO and cell.score is not None else 0.0
            result = new_output("execute_result", data={"text/plain": repr(score)})
            node.outputs = [new_output("stream", name="stdout", text=result_text(cell)), result]
        filled.append(node)
    notebook.cells = filled


def flagged(report: Report, lesson: Lesson) -> list[NotebookNode]:
    """Return the notebook's first cell if there are flags: each with its measurements and what it may mean."""
    if not report.flags:
        return []
    head = say(
        pl="#### Do obejrzenia *(tylko dla osoby prowadzącej; nie zmienia punktów i nie jest dowodem)*",
        en="#### Worth a look *(for the instructor only; it changes no points and proves nothing)*",
    )
    meanings = lesson.flag_meaning
    lines = [f"- `{f.code}` {', '.join(f.cells)}: {figures(f)}. {meanings(f.code)}" for f in report.flags]
    markdown = new_markdown_cell("\n".join([head, "", *lines]))
    markdown.id = "splot-flags"
    return [markdown]


def _scheme(cell: CellReport, parts: list[str]) -> NotebookNode:
    """Return the cell inserted before a written answer: its marking scheme and the measurements."""
    for_whom = say(
        pl="tylko dla osoby prowadzącej; nie trafia do studentów", en="for the instructor only; no student sees this"
    )
    head = f"#### {cell.title}: 0–{points(cell.points)} *({for_whom})*"
    # The last part adds space between this cell and the answer in formgrader.
    markdown = new_markdown_cell("\n\n".join(filter(None, [head, *parts, "&nbsp;"])))
    markdown.id = f"{cell.id}-scheme"[:64]
    return markdown  # type: ignore[no-any-return]


def result_text(cell: CellReport) -> str:
    """Return the results of a cell's checks as text; a message shared by several checks is given once, below them."""
    bonus = say(pl=" (punkty dodatkowe)", en=" extra credit") if cell.kind is Kind.BONUS else ""
    open_ = say(pl=", oceni osoba prowadząca", en=", for a person to grade") if cell.score is None else ""
    lines = _wrapped(f"{cell.title}: {points(cell.score)} / {points(cell.points)}{bonus}{open_}")
    if cell.status is Status.UNDECIDED:  # a written answer needs no such note
        unsettled = say(
            pl="Powód: uruchomienie na części danych nie rozstrzyga tego, co oznaczono „?”; profil full może.",
            en="Why: a run on part of the data does not settle what is marked “?”; the profile full may.",
        )
        unmeasured = say(
            pl="Powód: tego, co oznaczono „?”, nie dało się rzetelnie zmierzyć.",
            en="Why: what is marked “?” could not be measured fairly.",
        )
        lines += _wrapped(unsettled if any(check.more_data for check in cell.checks) else unmeasured)
    for message, checks in by_message(cell.checks).items():
        for check in checks:
            lines += _wrapped(f"{SYMBOLS[check.passed]} {check.name}")
        for paragraph in message.splitlines():
            lines += _wrapped(printable(paragraph), INDENT)
    return "\n".join(lines) + "\n"


def _wrapped(text: str, first: str = "") -> list[str]:
    return wrap(text, COLUMNS, initial_indent=first, subsequent_indent=INDENT, break_on_hyphens=False) or [""]


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """Return only the text and pictures of a cell's outputs, which come from the kernel and are untrusted."""
    found = outputs if isinstance(outputs, list) else []
    return [safe for output in found if isinstance(output, dict) for safe in _safe(output)]


def _safe(output: dict[str, object]) -> Iterator[NotebookNode]:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        yield new_output("stream", name=name, text=joined_text(output.get("text")))
    elif kind == "error":
        name, value = joined_text(output.get("ename")), joined_text(output.get("evalue"))
        lines = output.get("traceback")
        traceback = [joined_text(line) for line in lines] if isinstance(lines, list) else []
        yield new_output("error", ename=name, evalue=value, traceback=traceback)
    elif kind in {"display_data", "execute_result"} and isinstance(found := output.get("data"), dict):
        texts = {kind: joined_text(found[kind]) for kind in SAFE if kind in found}
        data = {kind: text for kind, text in texts.items() if kind == "text/plain" or BASE64.fullmatch(text)}
        if data:
            yield new_output("display_data", data=data)
