"""The instructor's notebook: which cells there are, which are locked, what each is worth.

Points live in the notebook's nbgrader metadata and nowhere else; in `metadata.splot` a graded cell has its `title`, a
`bonus`, its `expectation` (what the task asks for, never how it is checked), and under `private`, which never leaves the
instructor's notebook, the marking `scheme` of a written answer. The notebook's own `metadata.splot.lesson` names what
grades it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from autograder.engine.errors import GraderError
from autograder.engine.notebook.reading import Marking, read_marking
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
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One graded cell: its id, who decides it, its points, and its texts in both languages."""

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
        """Its title in the current language."""
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
    """Read `source/<name>/<name>.ipynb` of the course (by default the working directory, then our own).

    A notebook that has not changed since is not read again: nbgrader asks for it for each submission, several times.
    """
    path = _in_course(f"source/{name}/{name}.ipynb", "instructor's", course)
    status = path.stat()
    return _read(name, path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


def find_release(name: str = "cnn", course: Path | None = None) -> Path:
    """Return the students' notebook of the same course; raises `GraderError` where there is none."""
    return _in_course(f"release/{name}/{name}.ipynb", "students'", course)


def _in_course(path: str, whose: str, course: Path | None) -> Path:
    roots = [course] if course else [Path.cwd(), CHECKOUT]
    for root in roots:
        if (root / path).is_file():
            return root / path
    looked = ", ".join(str(root) for root in roots)
    raise GraderError(f"No {whose} notebook {path} under {looked}; run from the course's folder.")


@lru_cache(maxsize=8)
def _read(name: str, path: Path, _version: tuple[int, ...]) -> Assignment:
    try:
        notebook = _notebook(path)
        cells = tuple(_template(index, cell) for index, cell in enumerate(notebook["cells"]))
        items = tuple(_item(cell) for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade"))
        return Assignment(name, cells, items, notebook["metadata"].get("splot", {}).get("lesson", ""))
    except OSError as error:
        raise GraderError(f"The instructor's notebook {path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # nbformat may raise any exception on a malformed document
        raise GraderError(f"The instructor's notebook {path} is damaged ({type(error).__name__}: {error}).") from error


def _notebook(path: Path) -> dict[str, Any]:
    """Read a notebook in the form of version 4, each cell's source one text; what is not of version 4.5 goes through nbformat."""
    content = json.loads(path.read_bytes().decode("utf-8"))
    if (content["nbformat"], content["nbformat_minor"]) == (4, 5):
        for cell in content["cells"]:
            cell["source"] = "".join(cell["source"])
        return content  # type: ignore[no-any-return]
    import nbformat  # noqa: PLC0415 - most of a command's start, and only needed here

    return nbformat.read(path, as_version=4)  # type: ignore[no-any-return]


def _template(index: int, cell: dict[str, Any]) -> TemplateCell:
    nbgrader = cell["metadata"].get("nbgrader", {})
    return TemplateCell(
        cell_id=cell.get("id", f"cell-{index}"),
        kind=cell["cell_type"],
        source=cell["source"],
        grade_id=nbgrader.get("grade_id"),
        locked=bool(nbgrader.get("locked")) and not nbgrader.get("solution"),
        marking=read_marking(nbgrader),
        metadata=json.loads(json.dumps(cell["metadata"])),
    )


def _item(cell: dict[str, Any]) -> Item:
    nbgrader, ours = cell["metadata"]["nbgrader"], cell["metadata"].get("splot", {})
    grade_id, bonus = nbgrader.get("grade_id"), ours.get("bonus")
    title, expectation = ours.get("title", {}), ours.get("expectation", {})
    scheme = ours.get("private", {}).get("scheme", {})
    kind = Kind.MANUAL if nbgrader.get("solution") else Kind.AUTO
    return Item(
        grade_id,
        Kind.BONUS if bonus else kind,
        float(bonus or nbgrader["points"]),
        title.get("pl", grade_id),
        title.get("en", grade_id),
        expectation.get("pl", ""),
        expectation.get("en", ""),
        scheme.get("pl", ""),
        scheme.get("en", ""),
    )
