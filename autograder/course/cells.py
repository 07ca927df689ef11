"""A report put into the cells of an autograded notebook: what the student should read, and the score as nbgrader reads it."""

from textwrap import wrap

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.language import say
from autograder.printable import printable
from autograder.publish.wording import points
from autograder.report import CellReport, Kind, Profile, Status

MARKS = {True: "✓", False: "✗", None: "?"}
COLUMNS = 72  # formgrader does not wrap what a cell printed
INDENT = " " * 4


def graded_outputs(cell: CellReport, profile: Profile) -> list[NotebookNode]:
    """Return a cell's outputs, as graded on this profile: a result that is a number is, to nbgrader, the score.

    A bonus goes elsewhere, and what is undecided has none: both say 0 here, and `AmendGrades` puts that right.
    """
    score = cell.score if cell.kind is Kind.AUTO and cell.score is not None else 0.0
    return [
        new_output("stream", name="stdout", text=told(cell, profile)),
        new_output("execute_result", data={"text/plain": repr(score)}),
    ]


def told(cell: CellReport, profile: Profile) -> str:
    """Say what the checks of a cell found; a message that several share stands below all of them."""
    by_message: dict[tuple[bool | None, str], list[str]] = {}
    for check in cell.checks:
        by_message.setdefault((check.passed, "" if check.passed else check.message), []).append(check.name)
    lines = [*_headline(cell), *_reason(cell, profile)]
    for (passed, message), names in by_message.items():
        lines += _block(MARKS[passed], names, message)
    return "\n".join(lines) + "\n"


def _headline(cell: CellReport) -> list[str]:
    worth = f"{points(cell.score)} / {points(cell.points)}"
    bonus = say(pl=" (punkty dodatkowe)", en=" extra credit") if cell.kind is Kind.BONUS else ""
    open_ = say(pl=", oceni osoba prowadząca", en=", for a person to grade") if cell.score is None else ""
    return _wrapped(f"{cell.title}: {worth}{bonus}{open_}")


def _reason(cell: CellReport, profile: Profile) -> list[str]:
    """Say why a cell waits for a person; nothing where it does not, and of a written answer nobody need be told."""
    if cell.status is not Status.UNDECIDED:
        return []
    if profile is Profile.QUICK:
        said = say(
            pl="Powód: profil quick to tylko część danych i nie rozstrzyga tego, co oznaczono „?”; profil full może.",
            en="Why: the quick profile, on part of the data, does not settle what is marked “?”; full may.",
        )
    else:
        said = say(
            pl="Powód: tego, co oznaczono „?”, nie dało się rzetelnie zmierzyć.",
            en="Why: what is marked “?” could not be measured fairly.",
        )
    return _wrapped(said)


def _block(mark: str, names: list[str], message: str) -> list[str]:
    found = [line for paragraph in message.splitlines() for line in _wrapped(printable(paragraph), INDENT)]
    return [*(line for name in names for line in _wrapped(f"{mark} {name}")), *found]


def _wrapped(text: str, first: str = "") -> list[str]:
    return wrap(text, COLUMNS, initial_indent=first, subsequent_indent=INDENT, break_on_hyphens=False) or [""]
