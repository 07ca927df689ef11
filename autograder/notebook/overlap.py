"""Keep submissions and results apart: what a student handed in must never pass for what the grader wrote."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.errors import SplotError


def refuse_overlap(folders: Mapping[Path, Path], assignment: str, out: Path, *, of_class: bool) -> None:
    """Raise `SplotError` where results would lie in a submission, or a submission lies where results go.

    Links are followed, as the system will. A notebook in a folder <student>/<assignment>/ owns that folder, and in a
    class the student's too; another notebook owns only itself.

    Args:
        folders: where each notebook's results go, by the notebook's path.
        assignment: the assignment's name.
        out: the folder of all results.
        of_class: whether a folder <student>/ belongs to the student, not to who grades one notebook in it.

    """
    real_out = _real(out)
    owned = {_real(place): place for notebook in folders for place in _owned(notebook, assignment, of_class)}
    inside = next((owned[place] for folder in (out, *folders.values()) if (place := _first(folder, owned))), None)
    if inside is not None:
        raise SplotError(f"The output folder {out} lies in the submission {inside}; choose another --out.")
    for notebook in folders:
        if real_out in _real(notebook).parents:
            raise SplotError(f"{notebook} lies in the output folder {out}, where results go; choose another --out.")


def _owned(notebook: Path, assignment: str, of_class: bool) -> list[Path]:
    folder = Path(os.path.abspath(notebook)).parent  # noqa: PTH100 - `..` must not lead out of a link
    if folder.name.casefold() != assignment.casefold():
        return [notebook]
    return [folder, folder.parent] if of_class else [folder]


def _first(folder: Path, owned: Iterable[Path]) -> Path | None:
    """Return the first of `folder` and those above it that is owned."""
    real = _real(folder)
    return next((place for place in (real, *real.parents) if place in owned), None)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
