"""Reading a submission against the instructor's notebook: what is taken, what is restored, what is never lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.assignment import load_assignment
from autograder.language import Lang, speaking
from autograder.submission import Submission, read_submission, student_of
from tests.submissions.build import RELEASE, build

ASSIGNMENT = load_assignment()
TESTS = "task1_convolution_tests"
SOLUTION = "task1_convolution"


def changed(folder: Path, change: Callable[[Any], object]) -> Submission:
    """Change the release's notebook, write it, and read it as a submission."""
    notebook = nbformat.read(RELEASE, as_version=4)
    change(notebook)
    path = folder / "anna" / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))  # nbformat would mend what a student's editor does not
    with speaking(Lang.EN):
        return read_submission(path, ASSIGNMENT)


def position(notebook: Any, grade_id: str) -> int:
    """Return where the cell with this id stands."""
    return next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def ids(submission: Submission) -> list[str | None]:
    """Return the ids the cells hold, in order."""
    return [cell.grade_id for cell in submission.cells]


def test_the_untouched_release_needs_no_repair(tmp_path: Path) -> None:
    """Every cell is found under its own id, locked where the instructor locked it, and there is nothing to note."""
    read = changed(tmp_path, lambda _notebook: None)
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]
    assert [cell.locked for cell in read.cells] == [cell.locked for cell in ASSIGNMENT.cells]
    assert read.notes == ()


def test_an_edited_locked_cell_is_restored(tmp_path: Path) -> None:
    """A test cell emptied of its tests runs as the instructor wrote it, and the report says so."""

    def empty(notebook: Any) -> None:
        notebook.cells[position(notebook, TESTS)].source = "print('all tests passed')"

    read = changed(tmp_path, empty)
    cell = next(cell for cell in read.cells if cell.grade_id == TESTS)
    assert cell.source == ASSIGNMENT.by_grade_id[TESTS].source
    assert read.notes == (f"Cell {TESTS} had been changed; it was restored from the original.",)


def test_every_locked_cell_that_is_missing_is_put_back_in_place(tmp_path: Path) -> None:
    """With all locked cells deleted the order of ids is the instructor's again, a note for each."""

    def delete(notebook: Any) -> None:
        notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("locked")]

    read = changed(tmp_path, delete)
    locked = [cell.grade_id for cell in ASSIGNMENT.cells if cell.locked]
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]
    assert list(read.notes) == [f"Cell {name} was missing; it was put back in its place." for name in locked]


def test_a_missing_test_cell_is_put_back_after_its_solution_though_the_next_cell_has_moved(tmp_path: Path) -> None:
    """The instructor's next cell at the very top does not draw the test cell before what it tests."""

    def scramble(notebook: Any) -> None:
        at = position(notebook, TESTS)
        del notebook.cells[at]
        notebook.cells.insert(0, notebook.cells.pop(at))

    found = ids(changed(tmp_path, scramble))
    assert found.index(TESTS) == found.index("task1_helpers") + 1


def test_a_students_own_cells_stay_in_place_and_run(tmp_path: Path) -> None:
    """Cells without an id keep their text and their neighbours."""

    def insert(notebook: Any) -> None:
        notebook.cells.insert(position(notebook, SOLUTION), nbformat.v4.new_code_cell("helper = 1"))

    read = changed(tmp_path, insert)
    at = ids(read).index(SOLUTION)
    assert (read.cells[at - 1].source, read.cells[at - 1].kind) == ("helper = 1", "code")
    assert read.cells[at - 1].grade_id is None


def test_of_doubled_cells_the_last_holds_the_id_and_all_stay(tmp_path: Path) -> None:
    """Both halves of a doubled solution run, the later one is graded."""

    def double(notebook: Any) -> None:
        at = position(notebook, SOLUTION)
        copy = nbformat.from_dict(dict(notebook.cells[at]))
        copy.source, copy.id = "convolution = None", "a-copy"
        notebook.cells.insert(at + 1, copy)

    read = changed(tmp_path, double)
    at = ids(read).index(SOLUTION)
    assert read.cells[at].source == "convolution = None"
    assert "def convolution" in read.cells[at - 1].source
    assert read.notes == (f"Cell {SOLUTION} occurs more than once; the last one was graded.",)


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_retyped_solution_is_code_again(tmp_path: Path, kind: str) -> None:
    """A solution turned into text by a slip of the keyboard still runs, with the student's text."""

    def retype(notebook: Any) -> None:
        cell = notebook.cells[position(notebook, SOLUTION)]
        cell.cell_type, cell.source = kind, "mine = 1"
        del cell["outputs"], cell["execution_count"]

    cell = next(cell for cell in changed(tmp_path, retype).cells if cell.grade_id == SOLUTION)
    assert (cell.kind, cell.source) == ("code", "mine = 1")


def test_metadata_and_tags_of_a_submission_are_dropped(tmp_path: Path) -> None:
    """Points, locks and `skip-execution` written into the submission change nothing."""

    def tamper(notebook: Any) -> None:
        meta = notebook.cells[position(notebook, TESTS)].metadata
        meta.tags = ["skip-execution"]
        meta.nbgrader |= {"points": 100, "locked": False, "solution": True, "grade": False}

    read = changed(tmp_path, tamper)
    assert read.cells == changed(tmp_path, lambda _notebook: None).cells


def test_cells_are_known_by_their_cell_id_where_all_metadata_is_gone(tmp_path: Path) -> None:
    """An editor that drops nbgrader's metadata but keeps cell ids costs nothing."""

    def strip(notebook: Any) -> None:
        for cell in notebook.cells:
            cell.metadata = {}

    read = changed(tmp_path, strip)
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]


def test_test_cells_are_known_by_their_text_where_both_ids_are_gone(tmp_path: Path) -> None:
    """A notebook that lost metadata and cell ids has no test cell twice."""

    def strip(notebook: Any) -> None:
        for index, cell in enumerate(notebook.cells):
            cell.metadata, cell.id = {}, f"new-{index}"

    read = changed(tmp_path, strip)
    assert len(read.cells) == len(ASSIGNMENT.cells)
    assert [name for name in ids(read) if name] == [cell.grade_id for cell in ASSIGNMENT.cells if cell.locked]


def test_two_cells_with_one_notebook_id_are_doubled_cells(tmp_path: Path) -> None:
    """A notebook's own id given twice counts like nbgrader's given twice."""

    def double(notebook: Any) -> None:
        cell = nbformat.v4.new_code_cell("convolution = 1", id=SOLUTION)
        notebook.cells.insert(position(notebook, SOLUTION) + 1, cell)

    holders = [cell for cell in changed(tmp_path, double).cells if cell.grade_id == SOLUTION]
    assert [cell.source for cell in holders] == ["convolution = 1"]


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    """Any change of the file gives another digest, and the same file the same."""
    same = changed(tmp_path, lambda _notebook: None)
    other = changed(tmp_path, lambda notebook: notebook.cells[0].update(source="import this"))
    assert same.digest == changed(tmp_path, lambda _notebook: None).digest != other.digest


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("submitted/anna/cnn/cnn.ipynb", "anna"),
        ("submitted/anna/cnn/Untitled.ipynb", "anna"),
        ("submitted/anna/cnn/../cnn/cnn.ipynb", "anna"),
        ("homework.ipynb", "homework"),
        ("Jan Żółć/cnn/cnn.ipynb", "Jan Żółć"),
    ],
)
def test_the_student_is_named_by_the_folder_layout(path: str, student: str) -> None:
    """submitted/<student>/<assignment>/ names the student, a lone file is named after itself."""
    assert student_of(Path(path), "cnn") == student


def test_a_filled_submission_carries_its_cells(tmp_path: Path) -> None:
    """What the student wrote is what will run, to the character."""
    path = build({SOLUTION: "def convolution(X, K, q):\n    return 'ąę🙂'"}, tmp_path, "anna")
    read = read_submission(path, ASSIGNMENT)
    cell = next(cell for cell in read.cells if cell.grade_id == SOLUTION)
    assert cell.source == "def convolution(X, K, q):\n    return 'ąę🙂'"
    assert (read.student, read.path) == ("anna", path)
