"""The instructor's notebook as the grader reads it: cells, locks, points, and the error where it cannot be read."""

from pathlib import Path

import nbformat
import pytest

from autograder.engine.errors import GraderError
from autograder.engine.notebook.assignment import CHECKOUT, load_assignment
from autograder.engine.report import Kind
from autograder.engine.text import Lang, in_language

NO_POINTS = (
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "id": "a", "outputs": [], '
    '"execution_count": null, "source": "", "metadata": {"nbgrader": {"grade": true, "grade_id": "a"}}}]}'
)


def write(course: Path, content: str) -> None:
    """Write an instructor's notebook into a course."""
    path = course / "source" / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(content)


def test_points_add_up_to_the_lessons() -> None:
    """20 points, 17.5 by machine and 2.5 by hand, and 3 of bonus that nbgrader does not know."""
    items = load_assignment().items
    worth = {kind: sum(item.points for item in items if item.kind is kind) for kind in Kind}
    assert worth == {Kind.AUTO: 17.5, Kind.MANUAL: 2.5, Kind.BONUS: 3.0}


def test_test_cells_are_locked_and_solutions_are_not() -> None:
    """Every machine-graded cell is the instructor's own, every written answer the student's."""
    assignment = load_assignment()
    for item in assignment.items:
        assert assignment.by_grade_id[item.grade_id].locked is (item.kind is not Kind.MANUAL)
    assert not assignment.by_grade_id["task1_convolution"].locked


def test_a_title_is_in_the_language_in_force() -> None:
    """Polish by default, English on request."""
    item = load_assignment().items[0]
    with in_language(Lang.EN):
        assert item.title == "Task 1: convolution"
    assert item.title == "Zadanie 1: konwolucja"


def test_the_course_is_looked_for_in_the_working_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A course of one's own is read before the one that comes with the grader."""
    meta = {"nbgrader": {"grade_id": "mine", "locked": True, "grade": True, "solution": False, "points": 2}}
    cells = [nbformat.v4.new_code_cell("assert True", metadata=meta)]
    write(tmp_path, nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    monkeypatch.chdir(tmp_path)
    assert [item.grade_id for item in load_assignment().items] == ["mine"]
    monkeypatch.chdir(tmp_path / "source")
    assert load_assignment() == load_assignment(course=CHECKOUT)


def test_a_course_without_the_notebook_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """The sentence names the file and the folder."""
    with pytest.raises(GraderError, match=r"No instructor's notebook source/cnn/cnn\.ipynb under .*; run from"):
        load_assignment(course=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        NO_POINTS,
    ],
    ids=["empty", "truncated", "not a notebook", "no cells", "graded without points"],
)
def test_a_damaged_instructors_notebook_is_the_graders_fault(tmp_path: Path, content: str) -> None:
    """No student pays for it: one sentence names the file, and the command ends with exit code 2."""
    write(tmp_path, content)
    with pytest.raises(GraderError, match=r"The instructor's notebook .*cnn\.ipynb is damaged"):
        load_assignment(course=tmp_path)
