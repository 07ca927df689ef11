"""Converts the assignment for otter-grader: the notebook that `otter assign` takes, made of the release and the source's points.

Every test cell becomes a question of its own, with the visible test and the hidden one; its points are given for both together,
as nbgrader does. All other cells stay, with their ids in the metadata, by which submissions are filled in later.
"""

from collections.abc import Mapping
from typing import Any

from nbformat.v4 import new_code_cell, new_raw_cell

CONFIG = """# ASSIGNMENT CONFIG
name: cnn
init_cell: true
export_cell: false
run_tests: false
files: [data]
tests:
    ok_format: false
generate:
    pdf: false
"""
QUESTION = "# BEGIN QUESTION\nname: {name}\npoints: {points}\nall_or_nothing: true"
TEST = (
    '""" # BEGIN TEST CONFIG\nhidden: {hidden}\n""" # END TEST CONFIG\ndef test_{name}(env):\n    exec({code!r}, env)'
)
"""The test's own text runs in the student's namespace, as a test cell does."""
CELL_ID = "splot_cell"


def points_of(cell: Any) -> float | None:
    """Return the points of a cell that tests decide, a bonus as ordinary points; None of any other cell."""
    own = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not own.get("grade"):
        return None
    return float(cell.metadata.get("splot", {}).get("bonus") or own.points)


def master(release: Any, source: Any, hidden: Mapping[str, str]) -> Any:
    """Return the master notebook: `release` with questions in the place of its test cells, and the points of `source`."""
    points = {cell.id: points_of(cell) for cell in source.cells}
    cells = [new_raw_cell(CONFIG)]
    for cell in release.cells:
        worth = points.get(cell.id)
        if worth is None:
            cell.metadata = {CELL_ID: cell.id}
            cells.append(cell)
            continue
        tests = [_test("visible", cell.source)]
        tests += [_test("hidden", hidden[cell.id])] if cell.id in hidden else []
        question = QUESTION.format(name=cell.id, points=worth)
        ends = [new_raw_cell("# END TESTS"), new_raw_cell("# END QUESTION")]
        cells += [new_raw_cell(question), new_raw_cell("# BEGIN TESTS"), *tests, *ends]
    release.cells = cells
    release.metadata.pop("splot", None)
    return release


def _test(name: str, code: str) -> Any:
    return new_code_cell(TEST.format(hidden=str(name == "hidden").lower(), name=name, code=code))


def filled(student: Any, cells: Mapping[str, str]) -> Any:
    """Return what `otter assign` gives students, the cells with these ids replaced."""
    by_id = {cell.metadata[CELL_ID]: cell for cell in student.cells if CELL_ID in cell.metadata}
    for name, source in cells.items():
        by_id[name].source = source.strip("\n")
    return student
