"""The instructor's notebook: which cells there are, which are locked, what each is worth.

Points live in the notebook's nbgrader metadata and nowhere else; in `metadata.splot` a graded cell has its `title`, a
`bonus`, its `expectation` (what the task asks for, never how it is checked), and under `private`, which never leaves the
instructor's notebook, the marking `scheme` of a written answer. The notebook's own `metadata.splot.lesson` names what
grades it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from autograder.engine.errors import GraderError
from autograder.engine.notebook.reading import Marking, marking
from autograder.engine.report import Kind
from autograder.engine.text import say

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class TemplateCell:
    """A cell of the instructor's notebook. Only a locked cell's text ever enters the sandbox."""

    cell_id: str
    kind: str
    source: str
    grade_id: str | None
    locked: bool
    marking: Marking


@dataclass(frozen=True)
class Item:
    """What is graded: the cell, who decides it, what it is worth, what is said of it (in the language in force)."""

    grade_id: str
    kind: Kind
    points: float
    title_pl: str
    title_en: str
    expectation_pl: str = ""
    expectation_en: str = ""
    scheme_pl: str = ""
    scheme_en: str = ""

    @property
    def title(self) -> str:
        """What pages call it."""
        return say(pl=self.title_pl, en=self.title_en)

    @property
    def expectation(self) -> str:
        """What the task asks for, in a sentence that students read."""
        return say(pl=self.expectation_pl, en=self.expectation_en)

    @property
    def scheme(self) -> str:
        """How a written answer is marked, as Markdown that only instructors read."""
        return say(pl=self.scheme_pl, en=self.scheme_en)


@dataclass(frozen=True)
class Assignment:
    """The instructor's notebook as the grader reads it; `lesson` names what grades it (`engine/lesson.py`)."""

    name: str
    cells: tuple[TemplateCell, ...]
    items: tuple[Item, ...]
    lesson: str = ""

    @cached_property
    def by_grade_id(self) -> dict[str, TemplateCell]:
        """The cells that nbgrader knows, by their id."""
        return {cell.grade_id: cell for cell in self.cells if cell.grade_id}


def load_assignment(name: str = "cnn", course: Path | None = None) -> Assignment:
    """Read `source/<name>/<name>.ipynb` of the course (by default the working directory, then our own)."""
    roots = [course] if course else [Path.cwd(), CHECKOUT]
    for root in roots:
        path = root / "source" / name / f"{name}.ipynb"
        if path.is_file():
            return _read(name, path)
    looked = ", ".join(str(root) for root in roots)
    raise GraderError(
        f"No instructor's notebook source/{name}/{name}.ipynb under {looked}; run from the course's folder."
    )


def _read(name: str, path: Path) -> Assignment:
    try:
        return _parse(name, nbformat.read(path, as_version=4))
    except OSError as error:
        raise GraderError(f"The instructor's notebook {path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # nbformat raises whatever a malformed document makes it trip over
        raise GraderError(f"The instructor's notebook {path} is damaged ({type(error).__name__}: {error}).") from error


def _parse(name: str, notebook: Any) -> Assignment:
    cells, items = [], []
    for index, cell in enumerate(notebook.cells):
        meta = cell.metadata.get("nbgrader", {})
        grade_id = meta.get("grade_id")
        cells.append(
            TemplateCell(
                cell_id=cell.get("id", f"cell-{index}"),
                kind=cell.cell_type,
                source=cell.source,
                grade_id=grade_id,
                locked=bool(meta.get("locked")) and not meta.get("solution"),
                marking=marking(meta),
            )
        )
        if meta.get("grade"):
            items.append(_item(grade_id, meta, cell.metadata.get("splot", {})))
    return Assignment(name, tuple(cells), tuple(items), notebook.metadata.get("splot", {}).get("lesson", ""))


def _item(grade_id: str, meta: dict[str, Any], ours: dict[str, Any]) -> Item:
    bonus = ours.get("bonus")
    kind = Kind.MANUAL if meta.get("solution") else Kind.AUTO
    title, expectation = ours.get("title", {}), ours.get("expectation", {})
    scheme = ours.get("private", {}).get("scheme", {})
    return Item(
        grade_id,
        Kind.BONUS if bonus else kind,
        float(bonus or meta["points"]),
        title.get("pl", grade_id),
        title.get("en", grade_id),
        expectation.get("pl", ""),
        expectation.get("en", ""),
        scheme.get("pl", ""),
        scheme.get("en", ""),
    )
