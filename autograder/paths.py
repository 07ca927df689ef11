"""Find what there is to grade: one notebook, or a folder submitted/<student>/<assignment>/."""

import os
from pathlib import Path

from autograder.errors import SplotError


class NothingToGradeError(SplotError):
    """The path given holds nothing to grade."""


def find_submissions(path: Path, assignment: str) -> list[Path]:
    """Return the notebooks to grade at `path`, sorted; raises `NothingToGradeError` where there are none.

    A student whose folder has no notebook, or several and none of the right name, is not left out: the path
    that should be there is returned, and reading it says what is wrong.
    """
    try:
        if not path.exists():
            raise NothingToGradeError(
                f"{path} does not exist; give a notebook or a folder submitted/<student>/{assignment}/."
            )
        if not path.is_dir():
            return [path]
        found = [_notebook(folder, assignment) for folder in _folders(path, assignment)]
    except OSError as error:
        raise NothingToGradeError(f"{path} cannot be read: {error.strerror}.") from error
    if not any(os.path.lexists(notebook) for notebook in found):
        raise NothingToGradeError(
            f"{path} holds no submission; a class's folder is laid out as <student>/{assignment}/{assignment}.ipynb."
        )
    return found


def _folders(path: Path, assignment: str) -> list[Path]:
    """Return the folder itself where it is an assignment's, else each student's of a class, else the one student's."""
    if path.name == assignment and _notebooks(path):
        return [path]
    students = [folder for folder in path.glob(f"*/{assignment}") if not folder.parent.name.startswith(".")]
    one = path / assignment
    return sorted(students) or ([one] if one.is_dir() else [path])


def _notebook(folder: Path, assignment: str) -> Path:
    """Return the assignment's notebook in a folder; one that is named otherwise is taken where it is the only one."""
    named = folder / f"{assignment}.ipynb"
    others = _notebooks(folder)
    return others[0] if named not in others and len(others) == 1 else named


def _notebooks(folder: Path) -> list[Path]:
    """Return a folder's notebooks, sorted; hidden files are an operating system's or an editor's, nobody's work."""
    found = (path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    return sorted(path for path in found if not path.is_dir())


def find_evidence(path: Path) -> list[Path]:
    """Return the students' folders at or below `path` that hold evidence, sorted."""
    above = [path.parent] if path.name == "evidence" else []
    candidates = [path, *above, *sorted(path.glob("*")), *sorted(path.glob("*/*"))]
    found = [folder for folder in candidates if (folder / "evidence" / "evidence.json").is_file()]
    if not found:
        raise NothingToGradeError(
            f"{path} holds no evidence; `splot grade` writes it to graded/<student>/<assignment>/."
        )
    return found
