"""Find what there is to grade: one notebook, or a folder submitted/<student>/<assignment>/."""

from pathlib import Path

from autograder.errors import SplotError


class NothingToGradeError(SplotError):
    """The path given holds nothing to grade."""


def find_submissions(path: Path, assignment: str) -> list[Path]:
    """Return the notebooks to grade at `path`, sorted; raises `NothingToGradeError` where there are none."""
    if not path.exists():
        raise NothingToGradeError(
            f"{path} does not exist; give a notebook or a folder submitted/<student>/{assignment}/."
        )
    if path.is_file():
        return [path]
    folders = [path] if path.name == assignment else sorted(path.glob(f"*/{assignment}"))
    if not folders:
        folders = [path] if any(path.glob("*.ipynb")) else []
    found = [notebook for folder in folders if (notebook := _notebook(folder, assignment))]
    if not found:
        raise NothingToGradeError(
            f"{path} holds no submission; a class's folder is laid out as <student>/{assignment}/{assignment}.ipynb."
        )
    return found


def _notebook(folder: Path, assignment: str) -> Path | None:
    """Return the assignment's notebook in a folder; one that is named otherwise is taken where it is the only one."""
    named = folder / f"{assignment}.ipynb"
    if named.is_file():
        return named
    others = sorted(folder.glob("*.ipynb"))
    return others[0] if len(others) == 1 else None


def find_evidence(path: Path) -> list[Path]:
    """Return the students' folders below `path` that hold evidence, sorted."""
    candidates = [path, path.parent, *sorted(path.glob("*")), *sorted(path.glob("*/*"))]
    found = [folder for folder in candidates if (folder / "evidence" / "evidence.json").is_file()]
    if not found:
        raise NothingToGradeError(
            f"{path} holds no evidence; `splot grade` writes it to graded/<student>/<assignment>/."
        )
    return found
