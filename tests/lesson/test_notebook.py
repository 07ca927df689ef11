"""The instructor's notebook and what nbgrader makes of it."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import SCHEMA_VERSION, MetadataValidator

from autograder.cli.release import generate, is_current, leaked_solution_lines
from autograder.engine.errors import GraderError
from tests.submissions.build import RELEASE, ROOT, SOURCE

POINTS = {
    "task1_convolution_tests": 4,
    "task2_case_1_tests": 1,
    "task2_case_2_tests": 1,
    "task2_case_3_tests": 1,
    "task3_architecture_tests": 2,
    "task3_training_tests": 1,
    "task3_accuracy_tests": 2,
    "task4_exp1_tests": 1,
    "task4_exp2_tests": 1,
    "task4_exp3_tests": 1,
    "task4_exp4_tests": 1,
    "task4_exp5_tests": 1,
    "task4_single_loop_tests": 0.5,
    "task4_comparison": 1.5,
    "task4_exp5_answer": 1,
}
BONUS = {"task1_matrix_tests": 0.5, "task1_same_tests": 0.5, "task5_cam_tests": 2}
SOLUTIONS = {
    "task1_convolution",
    "task1_matrix",
    "task1_same",
    "task2_case_1",
    "task2_case_2",
    "task2_case_3",
    "task3_model",
    "task3_training",
    "task3_baseline",
    *(f"task4_exp{number}" for number in range(1, 6)),
    "task5_cam",
}
WRITTEN = {"task4_comparison", "task4_exp5_answer"}

Notebook = nbformat.NotebookNode


def read(path: Path) -> Notebook:
    """Read a notebook as it is, without upgrading it."""
    notebook: Notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    return notebook


def graded(notebook: Notebook) -> dict[str, Notebook]:
    """Return the cells that nbgrader knows, by grade_id."""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells}


@pytest.fixture(scope="module")
def source() -> Notebook:
    """Return the instructor's notebook."""
    return read(SOURCE)


@pytest.fixture(scope="module")
def release() -> Notebook:
    """Return the students' notebook as committed."""
    return read(RELEASE)


@pytest.mark.parametrize("path", [SOURCE, RELEASE], ids=["source", "release"])
def test_schema(path: Path) -> None:
    """Both notebooks are valid nbformat 4.5 and valid to nbgrader's own schema-3 validator."""
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor, SCHEMA_VERSION) == (4, 5, 3)
    MetadataValidator().validate_nb(notebook)


def test_points(source: Notebook) -> None:
    """Each graded cell carries the lesson's points, 20 in all."""
    cells = graded(source).items()
    points = {name: cell.metadata.nbgrader.points for name, cell in cells if cell.metadata.nbgrader.grade}
    assert points == POINTS | dict.fromkeys(BONUS, 0)
    assert sum(points.values()) == 20


def test_bonus(source: Notebook) -> None:
    """A bonus cell's worth stands in `metadata.splot.bonus`, 3 in all, and nowhere else."""
    ours = {name: cell.metadata.get("splot", {}) for name, cell in graded(source).items()}
    bonus = {name: meta.bonus for name, meta in ours.items() if "bonus" in meta}
    assert bonus == BONUS
    assert sum(bonus.values()) == 3


def test_cell_kinds(source: Notebook) -> None:
    """Solutions are editable and ungraded, tests locked and graded, written answers both, helpers locked only."""
    kinds: dict[tuple[bool, bool, bool], set[str]] = {}
    for name, cell in graded(source).items():
        meta = cell.metadata.nbgrader
        kinds.setdefault((meta.grade, meta.solution, meta.locked), set()).add(name)
    helpers = kinds.pop((False, False, True))
    assert all(name.endswith("_helpers") for name in helpers)
    assert kinds == {
        (False, True, False): SOLUTIONS,
        (True, False, True): (set(POINTS) - WRITTEN) | set(BONUS),
        (True, True, False): WRITTEN,
    }


def test_cell_ids(source: Notebook) -> None:
    """A cell's id is its grade_id where it has one; the data cell carries its tag and no nbgrader metadata."""
    assert all(cell.id == name for name, cell in graded(source).items())
    tagged = [cell for cell in source.cells if "task3_data" in cell.metadata.get("tags", [])]
    assert [(cell.id, "nbgrader" in cell.metadata) for cell in tagged] == [("task3_data", False)]


def test_stands_alone(source: Notebook) -> None:
    """The notebook installs torchinfo first, imports nothing of this project, has no outputs and stays small."""
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    assert source.cells[0].source.startswith("# Stąd weźmiemy funkcję summary.\n%pip install torchinfo\n")
    assert not any(re.search(r"\b(autograder|reference|splot)\b", cell.source) for cell in code)
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert SOURCE.stat().st_size < 1_500_000


def test_release_holds_no_solution(release: Notebook) -> None:
    """No line of a solution region reaches students, nor does a marker of one or of a hidden test."""
    assert leaked_solution_lines(SOURCE, RELEASE) == []
    assert not any(re.search("(BEGIN|END) (SOLUTION|HIDDEN)", cell.source) for cell in release.cells)


def test_release_keeps_the_sheets_starting_layers(release: Notebook) -> None:
    """Students find Task 2 as on the sheet: complete calls with values of 1 to change."""
    cells = graded(release)
    starts = [cells[f"task2_case_{number}"].source for number in (1, 2, 3)]
    assert [start.count("<-- zmień to") for start in starts] == [2, 2, 1]
    assert [start.count("nn.Conv2d(") for start in starts] == [1, 1, 1]
    for name in SOLUTIONS:
        compile(cells[name].source, name, "exec")


def test_leftovers_are_found(tmp_path: Path) -> None:
    """Releasing the source with only its markers cut out would be caught, code and written answers alike."""
    copy = tmp_path / "cnn.ipynb"
    notebook = read(SOURCE)
    for cell in notebook.cells:
        cell.source = "\n".join(line for line in cell.source.split("\n") if "SOLUTION" not in line)
    nbformat.write(notebook, copy)
    found = leaked_solution_lines(SOURCE, copy)
    assert "return (rows @ columns).reshape(h_out, w_out, q)" in found
    assert any("Global Average Pooling" in line and not line.startswith("#") for line in found)


def test_release_regenerates_byte_for_byte() -> None:
    """`nbgrader generate_assignment` makes the committed release from source/, and leaves the course alone."""
    before = sorted(ROOT.glob("*"))
    assert is_current(ROOT), "run `splot release` and commit release/"
    assert sorted(ROOT.glob("*")) == before


def test_missing_assignment(tmp_path: Path) -> None:
    """An assignment that does not exist is named in one sentence, and nothing is written."""
    with pytest.raises(GraderError, match=r"source/nothing/nothing\.ipynb does not exist"):
        generate(ROOT, into=tmp_path, assignment="nothing")
    assert list(tmp_path.iterdir()) == []


def test_refused_by_nbgrader(tmp_path: Path) -> None:
    """A source that nbgrader refuses (a region left open) is an error in one sentence; the old release stays."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    (tmp_path / "source" / "cnn").mkdir(parents=True)
    notebook = read(SOURCE)
    cell = graded(notebook)["task1_convolution"]
    notebook.cells = [cell]
    cell.source = cell.source.replace("### END SOLUTION", "")
    nbformat.write(notebook, tmp_path / "source" / "cnn" / "cnn.ipynb")
    (tmp_path / "release" / "cnn").mkdir(parents=True)
    with pytest.raises(GraderError, match="no end solution statement found"):
        generate(tmp_path, into=tmp_path / "release")
    assert (tmp_path / "release" / "cnn").is_dir()
