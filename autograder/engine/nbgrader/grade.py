"""Grade a submission in nbgrader's own pipeline, in the place of `Execute`, which would run student code beside the answers."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.engine.errors import GraderError
from autograder.engine.evidence import Evidence, findings_or_none
from autograder.engine.grading import Grading, folder_of, grade, regrade
from autograder.engine.lesson import Lesson, find_lesson
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Assignment, load_assignment, read_ipynb, refuse_overlap, student_of
from autograder.engine.pages import figures, points
from autograder.engine.report import CellReport, Kind, Outcome, Profile, Report, Status
from autograder.engine.sandbox import SandboxKind
from autograder.engine.text import printable, say, speaking

MARKS = {True: "✓", False: "✗", None: "?"}
COLUMNS = 72  # formgrader does not wrap what a cell printed
INDENT = " " * 4


def graded_outputs(cell: CellReport, profile: Profile) -> list[NotebookNode]:
    """Return a cell's outputs, as graded on this profile: a result that is a number is, to nbgrader, the score.

    A bonus goes elsewhere, and what is undecided has none: both say 0 here, and `AmendGrades` puts that right.
    """
    score = cell.score if cell.kind is Kind.AUTO and cell.score is not None else 0.0
    return [
        new_output("stream", name="stdout", text=told(cell, profile)),
        new_output("execute_result", data={"text/plain": repr(score)}),
    ]


def told(cell: CellReport, profile: Profile) -> str:
    """Say what the checks of a cell found; a message that several share stands below all of them."""
    by_message: dict[tuple[bool | None, str], list[str]] = {}
    for check in cell.checks:
        by_message.setdefault((check.passed, "" if check.passed else check.message), []).append(check.name)
    lines = [*_headline(cell), *_reason(cell, profile)]
    for (passed, message), names in by_message.items():
        lines += _block(MARKS[passed], names, message)
    return "\n".join(lines) + "\n"


def _headline(cell: CellReport) -> list[str]:
    worth = f"{points(cell.score)} / {points(cell.points)}"
    bonus = say(pl=" (punkty dodatkowe)", en=" extra credit") if cell.kind is Kind.BONUS else ""
    open_ = say(pl=", oceni osoba prowadząca", en=", for a person to grade") if cell.score is None else ""
    return _wrapped(f"{cell.title}: {worth}{bonus}{open_}")


def _reason(cell: CellReport, profile: Profile) -> list[str]:
    """Say why a cell waits for a person; nothing where it does not, and of a written answer nobody need be told."""
    if cell.status is not Status.UNDECIDED:
        return []
    if profile is Profile.QUICK:
        said = say(
            pl="Powód: profil quick to tylko część danych i nie rozstrzyga tego, co oznaczono „?”; profil full może.",
            en="Why: the quick profile, on part of the data, does not settle what is marked “?”; full may.",
        )
    else:
        said = say(
            pl="Powód: tego, co oznaczono „?”, nie dało się rzetelnie zmierzyć.",
            en="Why: what is marked “?” could not be measured fairly.",
        )
    return _wrapped(said)


def _block(mark: str, names: list[str], message: str) -> list[str]:
    found = [line for paragraph in message.splitlines() for line in _wrapped(printable(paragraph), INDENT)]
    return [*(line for name in names for line in _wrapped(f"{mark} {name}")), *found]


def _wrapped(text: str, first: str = "") -> list[str]:
    return wrap(text, COLUMNS, initial_indent=first, subsequent_indent=INDENT, break_on_hyphens=False) or [""]


SAFE = ("text/plain", "image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """Keep what is text or a picture of a cell's outputs, which came from the student's kernel and may be anything."""
    found = outputs if isinstance(outputs, list) else []
    return [safe for output in found if isinstance(output, dict) for safe in _safe(output)]


def _safe(output: dict[str, object]) -> Iterator[NotebookNode]:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        yield new_output("stream", name=name, text=_text(output.get("text")))
    elif kind == "error":
        name, value = _text(output.get("ename")), _text(output.get("evalue"))
        lines = output.get("traceback")
        traceback = [_text(line) for line in lines] if isinstance(lines, list) else []
        yield new_output("error", ename=name, evalue=value, traceback=traceback)
    elif kind in {"display_data", "execute_result"} and (data := _data(output.get("data"))):
        yield new_output("display_data", data=data)


def _data(data: object) -> dict[str, str]:
    kinds = data if isinstance(data, dict) else {}
    found = {kind: _text(kinds[kind]) for kind in SAFE if kind in kinds}
    return {kind: text for kind, text in found.items() if kind == "text/plain" or BASE64.fullmatch(text)}


def _text(value: object) -> str:
    """Return text as notebooks hold it, in one piece or in lines."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))


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
            _fill(nb, report, evidence, assignment)
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


def _fill(notebook: NotebookNode, report: Report, evidence: Evidence, assignment: Assignment) -> None:
    """Give each cell its outputs, and a person what is needed to mark written answers, and what is worth a look."""
    executed = {f"cell-{index}": cell for index, cell in enumerate(evidence.notebook.cells)}
    cells = {cell.id: cell for cell in report.cells}
    lesson = find_lesson(assignment.lesson)
    findings = findings_or_none(evidence.folder, lesson.findings)
    schemes = {item.grade_id: item.scheme for item in assignment.items}
    filled = []
    for node in notebook.cells:
        meta = node.metadata.get("nbgrader", {})
        cell = cells.get(meta.get("grade_id", ""))
        if cell is not None and cell.kind is Kind.MANUAL:
            measured = lesson.beside(cell, report, findings)
            filled.append(_beside(cell, [schemes.get(cell.id, ""), *measured]))
        if cell is not None and cell.kind is Kind.AUTO and meta["points"] != cell.points:
            raise GraderError(
                f"{cell.id} is worth {meta['points']:g} points in the gradebook and {cell.points:g} in source/; "
                f"run `nbgrader generate_assignment {report.assignment} --force`."
            )
        if node.cell_type == "code":
            ran = executed[node.id].outputs if node.id in executed else []
            node.outputs = graded_outputs(cell, report.profile) if cell is not None else safe_outputs(ran)
        filled.append(node)
    notebook.cells = [*flagged(report, lesson), *filled]


def _beside(cell: CellReport, parts: list[str]) -> NotebookNode:
    """Return the cell that stands before a written answer: its marking scheme, and what was measured."""
    for_whom = say(
        pl="tylko dla osoby prowadzącej; nie trafia do studentów", en="for the instructor only; no student sees this"
    )
    # Formgrader puts the answer right below.
    parts = [f"#### {cell.title}: 0–{points(cell.points)} *({for_whom})*", *parts, "&nbsp;"]
    markdown = new_markdown_cell("\n\n".join(filter(None, parts)))
    markdown.id = f"{cell.id}-scheme"[:64]
    return markdown  # type: ignore[no-any-return]


def flagged(report: Report, lesson: Lesson) -> list[NotebookNode]:
    """Return the cell that stands first of all where there is something to look at: what was seen, and what it may mean."""
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
