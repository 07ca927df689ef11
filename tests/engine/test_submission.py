"""Reading a submission against the instructor's notebook: what is taken, what is restored, what is never lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.engine.errors import SubmissionError
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.repair import Damage, DamageKind
from autograder.engine.notebook.submission import Submission, read_submission, student_of
from autograder.engine.text import Lang, in_language
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
    assert read.damage == ()
    assert read.notes == ()


def test_an_edited_locked_cell_is_restored(tmp_path: Path) -> None:
    """A test cell emptied of its tests runs as the instructor wrote it, and the report says so."""

    def empty(notebook: Any) -> None:
        notebook.cells[position(notebook, TESTS)].source = "print('all tests passed')"

    read = changed(tmp_path, empty)
    cell = next(cell for cell in read.cells if cell.grade_id == TESTS)
    assert cell.source == ASSIGNMENT.by_grade_id[TESTS].source
    assert read.damage == (Damage(DamageKind.EDITED, (TESTS,)),)
    with in_language(Lang.EN):
        assert read.notes == (f"Edited cells whose text is fixed: {TESTS}. Grading restores the original's text.",)


def test_what_a_student_defined_in_a_locked_cell_runs_before_the_original(tmp_path: Path) -> None:
    """A function written into a test cell is not lost; the tests are the instructor's all the same."""
    mine = "def solved(): pass\n"

    def add(notebook: Any) -> None:
        cell = notebook.cells[position(notebook, TESTS)]
        cell.source = mine + cell.source

    read = changed(tmp_path, add)
    at = ids(read).index(TESTS)
    original = ASSIGNMENT.by_grade_id[TESTS].source
    assert [cell.source for cell in read.cells[at - 1 : at + 1]] == [mine + original, original]
    assert [(cell.locked, cell.grade_id) for cell in read.cells[at - 1 : at + 1]] == [(False, None), (True, TESTS)]
    assert [found.kind for found in read.damage] == [DamageKind.EDITED, DamageKind.ADDED]


def test_every_locked_cell_that_is_missing_is_put_back_in_place(tmp_path: Path) -> None:
    """With all locked cells deleted the order of ids is the instructor's again, and they are named."""

    def delete(notebook: Any) -> None:
        notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("locked")]

    read = changed(tmp_path, delete)
    locked = tuple(cell.grade_id or "" for cell in ASSIGNMENT.cells if cell.locked)
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]
    assert read.damage == (Damage(DamageKind.MISSING, locked),)


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
    assert read.damage == (Damage(DamageKind.DOUBLED, (SOLUTION,)),)


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_retyped_solution_is_code_again(tmp_path: Path, kind: str) -> None:
    """A solution turned into text by a slip of the keyboard still runs, with the student's text."""

    def retype(notebook: Any) -> None:
        cell = notebook.cells[position(notebook, SOLUTION)]
        cell.cell_type, cell.source = kind, "mine = 1"
        del cell["outputs"], cell["execution_count"]

    read = changed(tmp_path, retype)
    cell = next(cell for cell in read.cells if cell.grade_id == SOLUTION)
    assert (cell.kind, cell.source) == ("code", "mine = 1")
    assert read.damage == (Damage(DamageKind.RETYPED, (SOLUTION,)),)


def test_metadata_and_tags_of_a_submission_are_dropped(tmp_path: Path) -> None:
    """Points, locks and `skip-execution` written into the submission change nothing."""

    def tamper(notebook: Any) -> None:
        meta = notebook.cells[position(notebook, TESTS)].metadata
        meta.tags = ["skip-execution"]
        meta.nbgrader |= {"points": 100, "locked": False, "solution": True, "grade": False}

    read = changed(tmp_path, tamper)
    assert read.cells == changed(tmp_path, lambda _notebook: None).cells
    assert read.damage == (Damage(DamageKind.METADATA_CHANGED, (TESTS,)),)


def test_a_claim_of_no_cell_of_the_assignment_is_a_cell_of_the_students_own(tmp_path: Path) -> None:
    """An id that the instructor's notebook lacks gives nothing, and the cell runs where it stands."""

    def claim(notebook: Any) -> None:
        meta = {"nbgrader": {"grade_id": "bonus", "grade": True, "points": 100, "locked": True, "solution": False}}
        notebook.cells.insert(3, nbformat.v4.new_code_cell("x = 1", metadata=meta))

    read = changed(tmp_path, claim)
    assert (read.cells[3].source, read.cells[3].grade_id, read.cells[3].locked) == ("x = 1", None, False)
    assert read.damage == (Damage(DamageKind.UNKNOWN, ("bonus",)),)


def test_a_deleted_solution_is_named_and_not_put_back(tmp_path: Path) -> None:
    """The stub would undo what the student defined in another cell."""

    def delete(notebook: Any) -> None:
        notebook.cells[position(notebook, SOLUTION)] = nbformat.v4.new_code_cell("def convolution(X, K, q): ...")

    read = changed(tmp_path, delete)
    assert SOLUTION not in ids(read)
    assert read.damage == (Damage(DamageKind.MISSING_ANSWER, (SOLUTION,)),)


def test_a_test_that_stands_before_its_solution_is_moved_behind_it(tmp_path: Path) -> None:
    """Evidence is taken at the test cell: there the solution must have run."""

    def swap(notebook: Any) -> None:
        one, other = position(notebook, "task2_case_1"), position(notebook, "task2_case_1_tests")
        cells = notebook.cells
        cells[one], cells[other] = cells[other], cells[one]

    read = changed(tmp_path, swap)
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]
    assert read.damage == (Damage(DamageKind.BEFORE_SOLUTION, ("task2_case_1_tests",)),)


def test_other_cells_that_were_moved_run_where_they_stand(tmp_path: Path) -> None:
    """A solution moved up runs there, and that cell alone is named."""

    def move(notebook: Any) -> None:
        notebook.cells.insert(9, notebook.cells.pop(position(notebook, "task4_exp2")))

    read = changed(tmp_path, move)
    assert ids(read)[9] == "task4_exp2"
    assert read.damage == (Damage(DamageKind.MOVED, ("task4_exp2",)),)


def test_cells_are_known_by_their_cell_id_where_all_metadata_is_gone(tmp_path: Path) -> None:
    """An editor that drops nbgrader's metadata but keeps cell ids costs nothing."""

    def strip(notebook: Any) -> None:
        for cell in notebook.cells:
            cell.metadata = {}

    read = changed(tmp_path, strip)
    assert ids(read) == [cell.grade_id for cell in ASSIGNMENT.cells]
    assert read.damage == (Damage(DamageKind.METADATA_LOST, tuple(ASSIGNMENT.by_grade_id)),)


def test_a_copy_of_a_tests_text_is_not_the_test(tmp_path: Path) -> None:
    """A cell is known by its text only where no cell claims the id: a scratch copy takes nothing away."""
    copy = nbformat.v4.new_code_cell(ASSIGNMENT.by_grade_id[TESTS].source)
    read = changed(tmp_path, lambda notebook: notebook.cells.append(copy))
    assert ids(read) == [*(cell.grade_id for cell in ASSIGNMENT.cells), None]
    assert read.damage == ()


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
        ("submitted/anna/CNN/cnn.ipynb", "anna"),
        ("homework.ipynb", "homework"),
        ("...ipynb", "...ipynb"),
        ("\udcff/cnn/cnn.ipynb", "\\udcff"),
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


@pytest.mark.parametrize("link", ["anna/cnn", "anna"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, link: str) -> None:
    """Nobody hands in a neighbour's work by pointing at it."""
    build({}, tmp_path, "ewa")
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / link.replace("anna", "ewa"))
    with in_language(Lang.EN), pytest.raises(SubmissionError, match="is a link; submit the folder itself"):
        read_submission(tmp_path / "anna/cnn/cnn.ipynb", ASSIGNMENT)


@pytest.mark.parametrize(
    "source",
    ["x = [" + "1," * 600_000 + "]", "\n" * 300_000, "\r\u2028" * 150_000],
    ids=["characters", "lines", "odd lines"],
)
@pytest.mark.parametrize("kind", ["code", "markdown"])
def test_source_made_to_fill_memory_when_it_is_read_is_refused(tmp_path: Path, source: str, kind: str) -> None:
    """More code, or lines, than anybody writes: also where a solution only seems to be text."""

    def fill(notebook: Any) -> None:
        cell = notebook.cells[position(notebook, SOLUTION)]
        cell.cell_type, cell.source = kind, source

    with in_language(Lang.EN), pytest.raises(SubmissionError, match="are graded: shorten it"):
        changed(tmp_path, fill)
