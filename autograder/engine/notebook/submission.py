"""A submission: what the student wrote, in the instructor's frame, and what had to be mended to get there.

Of a submitted notebook only the text of its cells is taken. Metadata and tags are dropped; types, points and the cells
whose text is fixed come from the instructor's notebook.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.notebook.assignment import Assignment
from autograder.engine.notebook.damage import Damaged
from autograder.engine.notebook.find import require_own
from autograder.engine.notebook.reading import read_ipynb, refused
from autograder.engine.notebook.repair import Cell as Cell  # noqa: PLC0414 - a submission is made of them
from autograder.engine.notebook.repair import repair
from autograder.engine.notebook.syntax import MAX_CODE

MAX_LINES = 200_000
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # as `str.splitlines` has them, and nbformat writes them


@dataclass(frozen=True)
class Submission:
    """A submitted notebook, repaired where it was damaged; `damage` says how."""

    path: Path
    student: str
    digest: str
    cells: tuple[Cell, ...]
    damage: tuple[Damaged, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, for the report, in the language in force."""
        return tuple(map(str, self.damage))


def read_submission(path: Path, assignment: Assignment) -> Submission:
    """Read the notebook at `path`; raises `SubmissionError` where it is not one, or not the student's own file."""
    require_own(path, assignment.name)
    file = read_ipynb(path)
    cells, repaired = repair(file.cells, assignment)
    _require_readable_length(cells, path)
    return Submission(path, student_of(path, assignment.name), file.digest, cells, (*file.damage, *repaired))


def _require_readable_length(cells: tuple[Cell, ...], path: Path) -> None:
    """Raise `SubmissionError` where reading the source would fill memory; a right submission has 20,000 characters."""
    code = sum(len(cell.source) for cell in cells if cell.kind == "code")
    lines = sum(cell.source.count(end) for cell in cells for end in LINE_ENDS)
    if code > MAX_CODE or lines > MAX_LINES:
        raise refused(
            path,
            f"jest za długi (znaków kodu: {code}, wierszy: {lines}, a ocenia się najwyżej {MAX_CODE} i {MAX_LINES}); skróć go",
            f"has {code} characters of code and {lines} lines; up to {MAX_CODE} and {MAX_LINES} are graded: shorten it",
        )


def student_of(path: Path, assignment: str) -> str:
    """Name the student after nbgrader's layout, submitted/<student>/<assignment>/<notebook>, else after the file."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link must not lend another's name
    folder = absolute.parent
    name = folder.parent.name if folder.name.casefold() == assignment.casefold() else absolute.stem
    name = absolute.name if name in {".", ".."} else name  # `...ipynb` must not lead out of the folder of reports
    return name.encode(errors="backslashreplace").decode()
