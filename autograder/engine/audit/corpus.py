"""A corpus: submissions whose grade is known, each a Python file in the percent format with its row before the cells.

The row is TOML in a comment block in the form of PEP 723 (https://peps.python.org/pep-0723/), and says which test cells get all
points, or which checks fail with what message. `# %% ID` begins the answer to that cell of the release, `# %% before ID` a
cell that the student added before it; what is not named stays as it is released.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from autograder.engine.errors import GraderError
from autograder.engine.notebook import Assignment
from autograder.engine.report import Kind

BLOCK = re.compile(r"\A# /// row\n((?:#(?: .*)?\n)+?)# ///\n")
CELL = re.compile(r"^# %% (before )?(\S+)[ \t]*\n", re.MULTILINE)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a submission.

    Attributes:
        summary: what is particular about it; of a wrong one the mistake.
        right: test cells that must get all their points.
        loses: by test cell, the checks that must fail, by their English names, each with a part of its English message.

    """

    summary: str
    right: tuple[str, ...] = ()
    loses: dict[str, dict[str, str]] = {}

    @property
    def cells(self) -> tuple[str, ...]:
        """The test cells that the row is about."""
        return (*self.right, *self.loses)


@dataclass(frozen=True)
class Answer:
    """A cell that the student wrote: the answer to the cell `cell_id`, or one `added` before it."""

    cell_id: str
    source: str
    added: bool = False


@dataclass(frozen=True)
class Sample:
    """One submission of a corpus; `name` is its path there, without the ending."""

    name: str
    row: Row
    answers: tuple[Answer, ...]

    @property
    def student(self) -> str:
        """The name it is graded under."""
        return self.name.replace("/", "-")


def read_corpus(folder: Path, assignment: Assignment) -> list[Sample]:
    """Read all submissions below a folder, or a single file; raises `GraderError` where there is none, or one has no row."""
    files, folder = ([folder], folder.parent) if folder.is_file() else (sorted(folder.rglob("*.py")), folder)
    if not files:
        raise GraderError(
            f"{folder} holds no corpus: there is no file <name>.py below it that begins with `# /// row`."
        )
    samples = [_read(path, folder, assignment) for path in files]
    names = [sample.student for sample in samples]
    for sample, name in zip(samples, names, strict=True):
        if names.count(name) > 1:
            raise GraderError(f"Two submissions of {folder} are called {name}; rename {sample.name}.py.")
    return samples


def _read(path: Path, folder: Path, assignment: Assignment) -> Sample:
    try:
        text = path.read_text("utf-8")
        block = BLOCK.match(text)
        if block is None:
            raise GraderError(f"{path} does not begin with its row: `# /// row`, lines of TOML after `# `, `# ///`.")
        toml = "".join(line[2:] or "\n" for line in block[1].splitlines(keepends=True))
        row = msgspec.convert(tomllib.loads(toml), Row)
    except (OSError, UnicodeDecodeError, ValueError) as error:  # TOML's errors and msgspec's are ValueErrors
        raise GraderError(f"The row of {path} cannot be read: {error}.") from error
    begin, *parts = CELL.split(text[block.end() :])
    answers = tuple(
        Answer(cell_id, source.strip("\n"), added is not None)
        for added, cell_id, source in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    )
    name = path.relative_to(folder).with_suffix("").as_posix()
    if begin.strip():
        raise GraderError(f"{path} has code before its first cell; begin a cell with `# %% ID`.")
    if why := _misfit(row, answers, assignment):
        raise GraderError(f"{path} {why}.")
    return Sample(name, row, answers)


def _misfit(row: Row, answers: tuple[Answer, ...], assignment: Assignment) -> str | None:
    """Return why a row does not fit the assignment."""
    ids = {cell.cell_id for cell in assignment.cells}
    graded = {item.grade_id for item in assignment.items if item.kind is not Kind.MANUAL}
    answered = [answer.cell_id for answer in answers if not answer.added]
    if unknown := [answer.cell_id for answer in answers if answer.cell_id not in ids]:
        return f"has a cell {unknown[0]}, which {assignment.name} has not"
    if twice := [cell for cell in answered if answered.count(cell) > 1]:
        return f"answers {twice[0]} twice"
    if unknown := [cell for cell in row.cells if cell not in graded]:
        return f"names the test cell {unknown[0]}, which {assignment.name} has not"
    if twice := [cell for cell in row.right if cell in row.loses]:
        return f"says of {twice[0]} both that it is right and that it loses points"
    if empty := [cell for cell, checks in row.loses.items() if not checks]:
        return f"does not say which checks of {empty[0]} fail"
    return None if row.cells else "names no test cell, neither under `right` nor under `loses`"
