"""Fill the release's cells, and lay the notebooks out as nbgrader does: submitted/<student>/cnn/cnn.ipynb."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "source" / "cnn" / "cnn.ipynb"
RELEASE = ROOT / "release" / "cnn" / "cnn.ipynb"


def fill(cells: Mapping[str, str]) -> Any:
    """Return the release as a notebook node, the cells with these ids replaced; an id that begins with `+` adds one before."""
    notebook = nbformat.read(RELEASE, as_version=4)
    for name, source in cells.items():
        place = next(index for index, cell in enumerate(notebook.cells) if cell.id == name.removeprefix("+"))
        if name.startswith("+"):
            notebook.cells.insert(place, new_code_cell(source.strip("\n")))
        else:
            notebook.cells[place].source = source.strip("\n")
    return notebook


def build(cells: Mapping[str, str], root: Path, student: str) -> Path:
    """Write a filled release to `root/<student>/cnn/cnn.ipynb` and return that path."""
    path = root / student / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(fill(cells), path)
    return path
