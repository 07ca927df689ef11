"""Fill the release's cells, and lay the notebooks out as nbgrader does: submitted/<student>/cnn/cnn.ipynb."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "source" / "cnn" / "cnn.ipynb"
RELEASE = ROOT / "release" / "cnn" / "cnn.ipynb"


def fill(cells: Mapping[str, str]) -> Any:
    """Return the release as a notebook node, the cells with these ids replaced; an unknown id is a mistake of ours."""
    notebook = nbformat.read(RELEASE, as_version=4)
    by_id = {cell.id: cell for cell in notebook.cells}
    for name, source in cells.items():
        by_id[name].source = source.strip("\n")
    return notebook


def build(cells: Mapping[str, str], root: Path, student: str) -> Path:
    """Write a filled release to `root/<student>/cnn/cnn.ipynb` and return that path."""
    path = root / student / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(fill(cells), path)
    return path
