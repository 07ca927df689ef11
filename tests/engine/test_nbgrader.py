"""A class autograded by nbgrader's own commands, from `generate_assignment` to feedback: real sandbox, real gradebook."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config

from autograder.engine.grading.pool import grade
from autograder.engine.grading.task import Grading
from autograder.engine.nbgrader.grade import result_text
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import CellReport, Check, Kind, Outcome, Profile, Report, Status, read_report
from tests.engine.nbgrader_course import IMPORTS, RICH, Course
from tests.pasted_pictures import picture
from tests.submissions import RIGHT, WRONG, build
from tests.submissions.right import TASK_1

LIGHT = {"install": IMPORTS, "task3_data": "", "task3_training": "", "task3_baseline": ""} | TASK_1
ANSWER = """Najlepsza jest sieć bazowa, bo $a < b$. <script>canary("markdown")</script>

![wykres](attachment:wykres.png) ![rysunek](attachment:rysunek.svg)"""
PNG = picture()
SVG = base64.b64encode(b'<svg onload="canary()"></svg>').decode()
SHOW = """
from IPython.display import HTML, SVG, display
display(HTML('<img src=x onerror="canary()">'), SVG('<svg onload="canary()"></svg>'))
print("zwykły wydruk")
"""
SCHEME = "powód wyboru: czego oczekiwano"


@dataclass(frozen=True)
class Class:
    """A course whose submissions were autograded with one command."""

    course: Course
    autograde: subprocess.CompletedProcess[str]

    def report(self, student: str) -> Report:
        """Read what our own side of it left."""
        return read_report(self.course.root / "graded" / student / "cnn" / "report.json")


def damaged(path: Path) -> None:
    """Do to a submission what a cheat or an accident may: nothing of it may count."""
    notebook = nbformat.read(path, as_version=4)
    by_id = {cell.id: cell for cell in notebook.cells}
    by_id["task3_accuracy_tests"].outputs = [new_output("execute_result", data={"text/plain": "2.0"})]
    by_id["task3_accuracy_tests"].metadata.tags = ["skip-execution"]
    by_id["task4_comparison"].attachments = {"wykres.png": {"image/png": PNG}, "rysunek.svg": {"image/svg+xml": SVG}}
    by_id["task2_case_1_tests"].metadata.nbgrader.points = 100
    by_id["task2_case_2_tests"].source = "1000"
    gone = {"task2_case_3_tests", "task4_exp5", "task4_exp5_answer"}
    notebook.cells = [cell for cell in notebook.cells if cell.id not in gone]
    notebook.cells += [new_code_cell(SHOW), new_markdown_cell("[x](javascript:canary()) <b onclick=canary()>y</b>")]
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """Autograde three submissions: one that does much and cheats a little, one that is light, one that is no notebook."""
    course = Course.at(tmp_path_factory.mktemp("course"))
    damaged(course.submit("ola", RICH | {"task4_comparison": ANSWER}))
    course.submit("jan", LIGHT)
    course.submit("ada", {}).write_text('{"nbformat": 4, "cells": [')
    secret = course.root / "secret.txt"
    secret.write_text("canary")
    (course.root / "submitted" / "ola" / "cnn" / "notes.txt").symlink_to(secret)
    return Class(course, course.command("autograde", "cnn", "--Splot.profile=quick"))


def test_every_cell_scores_as_with_splot_grade(graded: Class, tmp_path: Path) -> None:
    """The gradebook holds, cell by cell, what `splot grade` gives the same file: points, and a bonus as extra credit."""
    how = Grading(out=tmp_path / "graded", profile=Profile.QUICK)
    path = build(LIGHT, tmp_path / "submitted", "jan")
    report = grade(path, load_assignment("cnn", graded.course.root), how)
    with graded.course.submission("jan") as submission:
        for cell, booked in zip(report.cells, submission.grades, strict=True):
            assert cell.id == booked.name
            if cell.kind is Kind.AUTO:
                assert (booked.auto_score, booked.extra_credit, booked.needs_manual_grade) == (cell.score, None, False)
            if cell.kind is Kind.BONUS:
                assert (booked.auto_score, booked.extra_credit or 0.0) == (0.0, cell.score)
    assert (report.score, report.bonus) == (4.0, 1.0)
    assert graded.report("jan").cells == report.cells


@pytest.mark.soak
def test_the_whole_lesson_scores_as_with_splot_grade(tmp_path: Path) -> None:
    """The right sample and the wrong one get, cell by cell, the score of `splot grade`, and the gradebook holds it."""
    course = Course.at(tmp_path)
    assignment = load_assignment("cnn", tmp_path)
    for student, cells in {"ania": RIGHT, "celina": WRONG}.items():
        path = course.submit(student, cells)
        done = course.command("autograde", "cnn", f"--student={student}")
        assert done.returncode == 0, done.stderr
        report = grade(path, assignment, Grading(out=tmp_path / "other"))
        with course.submission(student) as submission:
            booked = {grade.name: (grade.auto_score, grade.extra_credit) for grade in submission.grades}
        got = {cell.id: booked[cell.id][cell.kind is Kind.BONUS] or 0.0 for cell in report.cells}
        assert got == {cell.id: cell.score or 0.0 for cell in report.cells}


@pytest.mark.parametrize(("bonus", "points"), [("cap", 5), ("separate", 4)])
def test_an_export_of_the_class_fills_moodles_worksheet(bonus: str, points: int, graded: Class) -> None:
    """`nbgrader export` fills the worksheet: who waits for a person or was not graded stays empty, and is named."""
    worksheet = graded.course.root / "worksheet.csv"
    worksheet.write_text("Identifier,Full name,Grade,Maximum Grade\r\n1,jan,,20\r\n2,ola,,20\r\n3,ada,,20\r\n")
    command = ["--exporter=autograder.engine.nbgrader.gradebook.MoodleExport", f"--MoodleExport.downloaded={worksheet}"]
    command.append(f"--MoodleExport.bonus={bonus}")
    done = graded.course.command("export", *command)
    assert done.returncode == 0, done.stderr
    filled = (graded.course.root / "worksheet-filled.csv").read_text()
    assert filled == f"Identifier,Full name,Grade,Maximum Grade\n1,jan,{points},20\n2,ola,,20\n3,ada,,20\n"
    assert "ada: not graded" in done.stderr


def test_one_that_cannot_be_read_fails_alone(graded: Class) -> None:
    """A broken file gets no zero: nbgrader says why and exits 1, the report says it too, the others are graded."""
    assert graded.autograde.returncode == 1
    assert "There was an error processing assignment 'cnn' for student 'ada'" in graded.autograde.stderr
    report = graded.report("ada")
    assert report.status is Outcome.UNGRADED
    assert report.reason
    assert report.reason in graded.autograde.stderr
    assert not (graded.course.root / "autograded" / "ada" / "cnn").exists()
    with graded.course.submission("ada") as submission:
        assert {(grade.auto_score, grade.needs_manual_grade) for grade in submission.grades} == {(None, True)}


def test_what_a_submission_claims_of_itself_counts_nothing(graded: Class) -> None:
    """Forged outputs, tags, points and tests, and a deleted test cell, change nothing; the notes name what was mended."""
    report = graded.report("ola")
    scores = {cell.id: cell.score for cell in report.cells}
    with graded.course.submission("ola") as submission:
        booked = {grade.name: grade.auto_score for grade in submission.grades}
        assert submission.max_score == 20
    for name in ("task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"):
        assert booked[name] == scores[name] == 1
    assert "task2_case_3_tests" in " ".join(report.notes)


def test_undecided_waits_for_a_person_with_its_reason(graded: Class) -> None:
    """What `quick` data cannot decide has no score in the gradebook, and its cell says why."""
    undecided = next(cell for cell in graded.report("ola").cells if cell.id == "task3_accuracy_tests")
    assert undecided.score is None
    with graded.course.grade("ola", "task3_accuracy_tests") as booked:
        assert (booked.auto_score, booked.score, booked.needs_manual_grade) == (None, 0.0, True)
    said = graded.course.autograded("ola")["task3_accuracy_tests"].outputs[0].text
    assert max(map(len, said.splitlines())) <= 72
    said = " ".join(said.split())
    reason = "oceni osoba prowadząca Powód: uruchomienie na części danych"
    assert said.index(reason) < said.index(undecided.checks[0].message)


def test_where_all_data_did_not_settle_it_no_profile_is_blamed() -> None:
    """On `full` an undecided cell was not measured fairly, and the check's own message says what stood in the way."""
    cell = CellReport("a", "Zadanie", Kind.AUTO, 2, None, Status.UNDECIDED, (Check("sieć", 1, None, "losowa"),))
    assert result_text(cell) == (
        "Zadanie: – / 2, oceni osoba prowadząca\n"
        "Powód: tego, co oznaczono „?”, nie dało się rzetelnie zmierzyć.\n"
        "? sieć\n    losowa\n"
    )


def test_a_written_answer_comes_with_scheme_and_measurements(graded: Class) -> None:
    """Right before the answer stand its marking scheme and what the judge measured; the answer itself is theirs."""
    cells = graded.course.autograded("ola")
    names = list(cells)
    assert names.index("task4_comparison-scheme") + 1 == names.index("task4_comparison")
    beside = cells["task4_comparison-scheme"].source
    accuracy = graded.report("ola").models["deep"].accuracy
    assert accuracy is not None
    assert f"| `deep`&emsp; | {accuracy:.3f}&emsp; |".replace(".", ",") in beside
    assert "2,30 █▁ 1,10" in beside  # train_loss of tests/submissions/fitted.py
    assert "krzywe uczenia" in beside
    assert cells["task4_comparison"].source.startswith("Najlepsza jest sieć bazowa, bo $a < b$.")


def test_a_deleted_answer_is_no_response(graded: Class) -> None:
    """The cell of a written answer that was deleted is put back as released: 0 points, and nobody need look."""
    with graded.course.submission("ola") as submission:
        grade = next(grade for grade in submission.grades if grade.name == "task4_exp5_answer")
        comment = next(comment for comment in submission.comments if comment.name == "task4_exp5_answer")
        assert (grade.auto_score, grade.needs_manual_grade, comment.comment) == (0.0, False, "No response.")
    names = list(graded.course.autograded("ola"))
    assert names.index("task4_exp5_tests") < names.index("task4_exp5_answer") < names.index("task4_single_loop_tests")


def test_nothing_a_student_wrote_runs_in_formgrader(graded: Class) -> None:
    """Formgrader's own exporter shows outputs and Markdown as text and pasted pictures: no tag, handler or script of theirs."""
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    resources = dict.fromkeys(("assignment_id", "notebook_id", "submission_id", "base_url", "student"), "x")
    resources |= dict.fromkeys(("last_name", "first_name", "notebook_path"), "x")
    path = graded.course.root / "autograded" / "ola" / "cnn" / "cnn.ipynb"
    exporter = HTMLExporter(config=config)  # type: ignore[no-untyped-call]
    page, _ = exporter.from_filename(str(path), resources=resources | {"index": 0, "total": 1})
    assert "&lt; script&gt;canary" in page
    assert not [
        tag for tag in ("<script>canary", "<img src=x", "<svg onload", "<b onclick", 'href="javascript') if tag in page
    ]
    assert "zwykły wydruk" in page
    assert f'<img alt="wykres" src="data:image/png;base64,{PNG}"' in page
    assert SVG not in page


def test_what_links_lead_to_is_not_copied(graded: Class) -> None:
    """A link in a submission, which nbgrader follows and feedback would hand out, leaves nothing behind."""
    assert sorted(path.name for path in (graded.course.root / "autograded" / "ola" / "cnn").iterdir()) == ["cnn.ipynb"]


def test_feedback_is_our_page_with_what_a_person_added(graded: Class) -> None:
    """`generate_feedback` gives our page with points and comments of the gradebook, and nothing meant for instructors."""
    with graded.course.submission("ola") as submission:
        grades = {grade.name: grade for grade in submission.grades}
        comments = {comment.name: comment for comment in submission.comments}
        grades["task4_comparison"].manual_score = 1.25
        comments["task4_comparison"].manual_comment = "Dobre wnioski, ale bez krzywych."
        comments["task3_model"].manual_comment = "Zgrabna klasa."
    done = graded.course.command("generate_feedback", "cnn", "--student=ola")
    assert done.returncode == 0, done.stderr
    page = (graded.course.root / "feedback" / "ola" / "cnn" / "cnn.html").read_text()
    assert page == (graded.course.root / "graded" / "ola" / "cnn" / "feedback.html").read_text()
    for text in ("1,25", "Dobre wnioski, ale bez krzywych.", "Zgrabna klasa."):
        assert text in page
    assert SCHEME in graded.course.autograded("ola")["task4_exp5_answer-scheme"].source
    assert SCHEME not in page
