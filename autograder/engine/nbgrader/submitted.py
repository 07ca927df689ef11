"""Rebuilds a submitted notebook for nbgrader: the text is the student's, everything else the instructor's.

nbgrader itself trusts ids, types, tags and outputs, and fails on unexpected values. This exporter replaces its reading;
nbgrader's sanitizers run afterwards and change nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader.api import Gradebook

from autograder.engine.errors import SubmissionError
from autograder.engine.grading import grade
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import Assignment, Cell, Picture, load_assignment, picture_kind, read_submission
from autograder.engine.report import Kind
from autograder.engine.text import in_language, say

MAX_CHARACTERS = 60_000
MAX_LINES = 3_000
MAX_FORMULAS = 200
MAX_DOLLARS = 2_000  # `$…$` is cheap for nbconvert, but MathJax sets each in the browser
MAX_EMBEDDED = 100  # pictures in the text itself; finding each one's links takes longer the more there are
# What opens a tag, a comment or an autolink: https://html.spec.whatwg.org/#tag-open-state
TAG = re.compile(r"<(?=[A-Za-z/!?])")
LINE_END = re.compile(r"\r\n?|\n")
OPENED = re.compile(r"\\\\[(\[]|\\begin\{|\$")
# Where a link may lead, inline or in a reference's definition: a page, a picture or a file beside.
ALLOWED = r"https?://|mailto:|#|data:image/|[\w./%,-]+(?:[\s)]|\Z)"
EMBEDDED = re.compile(r"data:image/[a-z]+;base64,([A-Za-z0-9+/]+={0,2})")
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}
MAKE: dict[str, Any] = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class SubmissionExporter(NotebookExporter):
    """nbgrader's notebook exporter, but for how a submission is read. For `c.Autograde.exporter_class`."""

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Convert a notebook; raises `SubmissionError`, its report written, where a submission cannot be read."""
        ours = (resources or {}).get("nbgrader", {})
        converter: Any = self.parent
        course = converter.coursedir
        submitted, autograded = (
            Path(course.format_path(step, ours["student"], ours["assignment"]))
            for step in (course.submitted_directory, course.autograded_directory)
        )
        if Path(filename).parent != submitted:
            return super().from_filename(filename, resources, **kw)
        # nbgrader has copied the targets of links in a submission: other people's files, which feedback would publish.
        for copy in autograded.rglob("*"):
            if (submitted / copy.relative_to(autograded)).is_symlink():
                copy.unlink()
        settings = Splot.from_converter(converter)
        assignment = load_assignment(ours["assignment"], settings.root)
        with Gradebook(ours["db_url"]) as gradebook:

            def released(grade_id: str) -> str:
                """Return a cell's text as released."""
                return str(gradebook.find_source_cell(grade_id, ours["notebook"], ours["assignment"]).source)

            notebook = read_notebook(Path(filename), assignment, settings, released)
        return self.from_notebook_node(notebook, resources, **kw)  # type: ignore[no-untyped-call, no-any-return]


def read_notebook(
    path: Path, assignment: Assignment, settings: Splot, released: Callable[[str], str] | None = None
) -> NotebookNode:
    """Return the submission with the instructor's metadata; cell number i has the id `cell-i`.

    With `released`, the cell of a written answer that is gone is put back with that text: to nbgrader, no response.
    """
    with in_language(settings.language):
        try:
            submission = read_submission(path, assignment)
        except SubmissionError:
            grade(path, assignment, settings.grading())  # fails at once with the same error, and writes its report
            raise
        metadata = {cell.grade_id: nbformat.from_dict(cell.metadata) for cell in assignment.cells if cell.grade_id}
        budget, own = RenderBudget(), {template.source for template in assignment.cells}
        cells = [
            _node(replace(cell, locked=cell.locked or cell.source in own), f"cell-{index}", metadata, budget)
            for index, cell in enumerate(submission.cells)
        ]
    written = {item.grade_id for item in assignment.items if item.kind is Kind.MANUAL}
    place = 0
    for template in assignment.cells if released else ():
        ids = [cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in cells]
        if template.grade_id in ids:
            place = ids.index(template.grade_id) + 1
        elif template.grade_id in written and released:
            answer = Cell(template.kind, released(template.grade_id), template.grade_id)
            cells.insert(place, _node(answer, template.grade_id, metadata, RenderBudget()))
    return new_notebook(cells=cells)  # type: ignore[no-any-return]


def _node(cell: Cell, cell_id: str, metadata: dict[str, NotebookNode], budget: "RenderBudget") -> NotebookNode:
    """Return a cell as formgrader may show it: code is shown as text anyway, the instructor's own text as it is."""
    source = cell.source
    pictures: dict[str, dict[str, str]] = {}
    if cell.kind != "code" and not cell.locked:  # nbconvert renders raw cells as they come, too
        source, pictures = shown(source, cell.pictures, budget)
    more = {"attachments": pictures} if pictures and cell.kind == "markdown" else {}
    return MAKE[cell.kind](source, id=cell_id, metadata=metadata.get(cell.grade_id or "", {}), **more)  # type: ignore[no-any-return]


@dataclass
class RenderBudget:
    """The remaining budget of one notebook for what formgrader can render in about a second."""

    characters: int = MAX_CHARACTERS
    lines: int = MAX_LINES
    formulas: int = MAX_FORMULAS
    dollars: int = MAX_DOLLARS
    embedded: int = MAX_EMBEDDED

    def take(self, source: str) -> str:
        """Return the longest prefix of the source that fits the budget, and subtract it."""
        opened = list(OPENED.finditer(source))
        dollars = [match.start() for match in opened if match[0] == "$"]
        formulas = [match.start() for match in opened if match[0] != "$"]
        lines = [match.start() for match in LINE_END.finditer(source)]
        end = min(len(source), self.characters)
        for places, left in ((lines, self.lines), (formulas, self.formulas), (dollars, self.dollars)):
            end = min(end, places[left]) if len(places) > left else end
        self.characters -= end
        self.lines -= sum(place < end for place in lines)
        self.formulas -= sum(place < end for place in formulas)
        self.dollars -= sum(place < end for place in dollars)
        return source[:end]


def shown(source: str, pictures: Sequence[Picture], budget: RenderBudget) -> tuple[str, dict[str, dict[str, str]]]:
    """Return an answer and its attachments as formgrader may show them; where it was cut, a line above it says so.

    A picture that stands in the text itself, as Colab pastes it, becomes an attachment: the text stays short.
    """
    embedded: list[Picture] = []

    def detach(match: re.Match[str]) -> str:
        """Replace an embedded picture by a link, while the budget lasts; the rest counts as characters."""
        kind = picture_kind(match[1])
        if kind is None or not budget.embedded:
            return match[0]
        budget.embedded -= 1
        embedded.append(Picture(f"splot-embedded-{len(embedded) + 1}", kind, match[1]))
        return f"attachment:{embedded[-1].name}"

    source = EMBEDDED.sub(detach, source)
    pictures = (*pictures, *embedded)
    fitting = budget.take(source)
    safe = safe_markdown(fitting, pictures)
    if len(fitting) < len(source):
        note = say(
            pl=f"*(pokazano {len(fitting)} z {len(source)} znaków, resztę zawiera oddany plik)*",
            en=f"*({len(fitting)} of {len(source)} characters are shown; the submitted file holds the rest)*",
        )
        safe = f"{note}\n\n{safe}"
    return safe, {name: {picture.kind: picture.data} for name, picture in _named(pictures).items()}


def safe_markdown(source: str, pictures: Sequence[Picture] = ()) -> str:
    """Return Markdown without active content: a space breaks HTML tags and links such as `javascript:`.

    nbconvert renders both as they come. Of `attachment:` links only those to `pictures` stay, under the names that
    `shown` gives them.
    """
    source = TAG.sub("< ", source)
    named = _named(pictures)
    # A link may write a picture's name as it is, or percent-encoded.
    names = {
        written: new
        for new, picture in named.items()
        for written in {picture.name, quote(picture.name), quote(picture.name, safe="()"), unquote(picture.name)} - {""}
    }
    if names:
        known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        link = re.compile(rf"(\]\(\s*|\]:\s*)attachment:({known})(?=[\s)]|\Z)")
        source = link.sub(lambda match: f"{match[1]}attachment:{names[match[2]]}", source)
    return _link_elsewhere(tuple(named)).sub(r"] \1", source)


def _named(pictures: Sequence[Picture]) -> dict[str, Picture]:
    return {f"picture-{n}.{EXTENSIONS[picture.kind]}": picture for n, picture in enumerate(pictures, start=1)}


@cache
def _link_elsewhere(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a link whose target is neither allowed nor one of these attachments."""
    own = "|".join(map(re.escape, names)) or r"(?!)"
    inline, defined = rf"(?<=\()\s*attachment:(?:{own})[\s)]", rf"(?<=:)\s*attachment:(?:{own})(?:\s|\Z)"
    return re.compile(rf"\]([(:])(?!{inline}|{defined}|\s*(?:{ALLOWED}))")
