"""What there is to grade at a path: every student of a class is found, none is left out in silence."""

import os
from pathlib import Path

import pytest

from autograder.paths import NothingToGradeError, find_evidence, find_submissions


def touch(*paths: Path) -> None:
    """Make empty files with their folders."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(path: Path) -> list[str]:
    """Return what is found at `path`, as paths from there."""
    return [os.path.relpath(notebook, path) for notebook in find_submissions(path, "cnn")]


def test_a_notebook_is_itself(tmp_path: Path) -> None:
    """A file is graded whatever it is called."""
    touch(tmp_path / "mine.ipynb")
    assert find_submissions(tmp_path / "mine.ipynb", "cnn") == [tmp_path / "mine.ipynb"]


def test_a_class_is_found_in_order(tmp_path: Path) -> None:
    """submitted/ gives each student's notebook of this assignment, sorted, and no other assignment's."""
    touch(tmp_path / "zofia/cnn/cnn.ipynb", tmp_path / "anna/cnn/cnn.ipynb", tmp_path / "anna/mlp/mlp.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb", "zofia/cnn/cnn.ipynb"]


@pytest.mark.parametrize("below", ["", "anna", "anna/cnn"])
def test_a_class_a_student_and_an_assignments_folder_are_all_taken(tmp_path: Path, below: str) -> None:
    """Whichever of the layout's folders is given, the notebook is found."""
    touch(tmp_path / "anna/cnn/cnn.ipynb")
    assert find_submissions(tmp_path / below, "cnn") == [tmp_path / "anna/cnn/cnn.ipynb"]


def test_the_working_directory_is_a_folder_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`splot grade .` in an assignment's folder finds the notebook."""
    touch(tmp_path / "anna/cnn/cnn.ipynb")
    monkeypatch.chdir(tmp_path / "anna/cnn")
    assert find_submissions(Path(), "cnn") == [Path("cnn.ipynb")]


def test_a_notebook_of_another_name_is_found_when_it_is_the_only_one(tmp_path: Path) -> None:
    """A renamed notebook counts; an operating system's hidden file beside it does not."""
    touch(tmp_path / "anna/cnn/Kopia cnn (1).ipynb", tmp_path / "anna/cnn/._Kopia cnn (1).ipynb")
    (tmp_path / "anna/cnn/folder.ipynb").mkdir()
    assert found(tmp_path) == ["anna/cnn/Kopia cnn (1).ipynb"]


def test_a_student_whose_notebook_cannot_be_told_is_not_left_out(tmp_path: Path) -> None:
    """Two notebooks of other names, or none: the path that should be there stands for the student."""
    touch(tmp_path / "anna/cnn/a.ipynb", tmp_path / "anna/cnn/b.ipynb", tmp_path / "ewa/cnn/notes.txt")
    touch(tmp_path / "zofia/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb", "ewa/cnn/cnn.ipynb", "zofia/cnn/cnn.ipynb"]


def test_a_pipe_for_a_notebook_is_not_left_out(tmp_path: Path) -> None:
    """What only looks like a notebook is named too, and refused when it is read."""
    (tmp_path / "anna/cnn").mkdir(parents=True)
    os.mkfifo(tmp_path / "anna/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb"]


def test_hidden_folders_are_nobodys(tmp_path: Path) -> None:
    """A folder such as .Trash is no student."""
    touch(tmp_path / "anna/cnn/cnn.ipynb", tmp_path / ".Trash/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The sentence says what to give instead."""
    with pytest.raises(NothingToGradeError, match="nowhere does not exist; give a notebook or a folder"):
        find_submissions(tmp_path / "nowhere", "cnn")


def test_a_name_no_file_system_takes_is_one_sentence(tmp_path: Path) -> None:
    """A path of ten thousand letters is refused like any other mistake."""
    with pytest.raises(NothingToGradeError, match="cannot be read: File name too long"):
        find_submissions(tmp_path / ("a" * 10_000), "cnn")


def test_a_folder_without_submissions_says_how_one_is_laid_out(tmp_path: Path) -> None:
    """The sentence shows the layout."""
    (tmp_path / "anna/cnn").mkdir(parents=True)
    with pytest.raises(NothingToGradeError, match=r"laid out as <student>/cnn/cnn\.ipynb"):
        find_submissions(tmp_path, "cnn")


@pytest.mark.parametrize("below", ["", "anna", "anna/cnn", "anna/cnn/evidence"])
def test_evidence_is_found_from_any_folder_of_its_layout(tmp_path: Path, below: str) -> None:
    """graded/, a student's folder, an assignment's, the evidence itself: the student's assignment folder."""
    touch(tmp_path / "anna/cnn/evidence/evidence.json")
    assert find_evidence(tmp_path / below) == [tmp_path / "anna/cnn"]


def test_no_evidence_is_one_sentence(tmp_path: Path) -> None:
    """A folder beside evidence is not taken for the evidence; the sentence says what writes it."""
    touch(tmp_path / "anna/cnn/evidence/evidence.json")
    (tmp_path / "anna/cnn/other").mkdir()
    with pytest.raises(NothingToGradeError, match="holds no evidence; `splot grade` writes it"):
        find_evidence(tmp_path / "anna/cnn/other")
