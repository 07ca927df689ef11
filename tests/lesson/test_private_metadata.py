"""What an instructor keeps in the notebook's metadata for instructors alone reaches no student and no student's code."""

import json
import shutil
from pathlib import Path

import pytest

from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import Kind
from autograder.engine.text import Lang, in_language
from tests.engine.rows_course import LESSON, ROOT, SPLOT, command
from tests.engine.sandboxed_kernel import needs_bubblewrap

CANARY = "5f7a marked by this scheme"
# A student's code that looks for it in everything the sandbox shows, but for the libraries.
SPY = """
import os
import sys

found = []
for folder, folders, files in os.walk("/"):
    kept_out = ("/proc", "/sys", "/usr", "/dev", sys.prefix, sys.base_prefix)
    folders[:] = [name for name in folders if os.path.join(folder, name) not in kept_out]
    for name in files:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                found += [name] if b"5f7a " + b"marked" in file.read() else []
        except OSError:
            pass
found += [name for name, value in globals().items() if name != "SPY" and "5f7a " + "marked" in str(value)]

def row_sums(X):
    return found or X.sum(axis=1)
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose notebook, each of its cells and its marking scheme say the canary, released."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(LESSON / "source", course / "source")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    source = course / "source" / "rows" / "rows.ipynb"
    notebook = json.loads(source.read_text())
    for part in (notebook, *notebook["cells"]):
        private = {"private": {"scheme": {"pl": CANARY, "en": CANARY}, "note": CANARY}}
        part["metadata"]["splot"] = part["metadata"].get("splot", {}) | private
    source.write_text(json.dumps(notebook))
    command(course, *SPLOT, "release", "--fast")
    return course


def test_the_release_has_none_of_it(course: Path) -> None:
    """Titles stand in the release, what is private does not."""
    released = (course / "release" / "rows" / "rows.ipynb").read_text()
    assert "Sums of rows" in released
    assert "private" not in released
    assert CANARY not in released


def test_settings_that_would_let_it_through_make_no_release(course: Path, tmp_path: Path) -> None:
    """A course whose `nbgrader_config.py` is older than the rule gets one sentence, and no file."""
    shutil.copytree(course / "source", tmp_path / "source")
    settings = (course / "nbgrader_config.py").read_text().splitlines()
    (tmp_path / "nbgrader_config.py").write_text("\n".join(line for line in settings if "DropPrivate" not in line))
    command(tmp_path, *SPLOT, "release", "--fast", code=2)
    assert not (tmp_path / "release").exists()


def test_the_instructor_has_it(course: Path) -> None:
    """The grader reads the scheme, in the language in force."""
    (item,) = load_assignment("rows", course).items
    assert item.scheme == CANARY


@needs_bubblewrap
def test_neither_the_sandbox_nor_feedback_has_it(course: Path) -> None:
    """A student's code that looks for it everywhere finds nothing; no file of the grading holds it, feedback included."""
    notebook = json.loads((course / "release" / "rows" / "rows.ipynb").read_text())
    next(cell for cell in notebook["cells"] if cell["id"] == "row_sums")["source"] = SPY
    path = course / "submitted" / "ala" / "rows" / "rows.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))
    command(course, *SPLOT, "grade", "submitted", "--lang", "en")
    graded = course / "graded" / "ala" / "rows"
    assert json.loads((graded / "report.json").read_text())["score"] == 2.0
    assert (graded / "feedback.html").is_file()
    for file in (file for file in graded.rglob("*") if file.is_file()):
        assert CANARY.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("lang", list(Lang))
def test_each_written_answer_has_a_scheme_and_nothing_else_has(lang: Lang) -> None:
    """Two schemes, in each language, whose points add up to the answer's."""
    with in_language(lang):
        for item in load_assignment().items:
            assert bool(item.scheme) is (item.kind is Kind.MANUAL)
            assert item.scheme.replace(",", ".").count("- **0.5** ") * 0.5 == (item.points if item.scheme else 0)
