"""A report put into the cells of an autograded notebook: what the student should read, and the score as nbgrader reads it."""

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.language import say
from autograder.printable import printable
from autograder.publish.wording import points
from autograder.report import CellReport, Kind

MARKS = {True: "✓", False: "✗", None: "?"}


def graded_outputs(cell: CellReport) -> list[NotebookNode]:
    """Return a graded cell's outputs: a result that is a number is, to nbgrader, the score.

    A bonus goes elsewhere, and what is undecided has none: both say 0 here, and `AmendGrades` puts that right.
    """
    score = cell.score if cell.kind is Kind.AUTO and cell.score is not None else 0.0
    return [
        new_output("stream", name="stdout", text=told(cell)),
        new_output("execute_result", data={"text/plain": repr(score)}),
    ]


def told(cell: CellReport) -> str:
    """Say what the checks of a cell found; a message that several share stands below all of them."""
    by_message: dict[tuple[bool | None, str], list[str]] = {}
    for check in cell.checks:
        by_message.setdefault((check.passed, "" if check.passed else check.message), []).append(check.name)
    blocks = [_block(MARKS[passed], names, message) for (passed, message), names in by_message.items()]
    return "\n".join([_headline(cell), *blocks]) + "\n"


def _headline(cell: CellReport) -> str:
    worth = f"{points(cell.score)} / {points(cell.points)}"
    bonus = say(pl=" punktów dodatkowych", en=" extra credit") if cell.kind is Kind.BONUS else ""
    open_ = say(pl=", oceni osoba prowadząca", en=", for a person to grade") if cell.score is None else ""
    return f"{cell.title}: {worth}{bonus}{open_}"


def _block(mark: str, names: list[str], message: str) -> str:
    lines = (printable(line) for line in message.splitlines())
    return "\n".join([*(f"{mark} {name}" for name in names), *(f"    {line}" for line in lines)])
