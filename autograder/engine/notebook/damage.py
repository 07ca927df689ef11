"""What can be wrong with a submitted notebook, and what grading does about it: the words of `splot check` and of reports.

Every kind is mended or borne with: none of them costs points by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autograder.engine.text import printable, say

SHOWN = 20
LONGEST = 60


class Damage(StrEnum):
    """What is wrong with a cell."""

    OLD_FORMAT = "old format"
    UNREADABLE = "unreadable"
    NOT_A_PICTURE = "not a picture"
    NO_CELL_ID = "no cell id"
    MISSING = "missing"
    MISSING_ANSWER = "missing answer"
    DOUBLED = "doubled"
    RETYPED = "retyped"
    EDITED = "edited"
    ADDED = "added to"
    METADATA_LOST = "metadata lost"
    METADATA_CHANGED = "metadata changed"
    UNKNOWN = "unknown id"
    BEFORE_SOLUTION = "before its solution"
    MOVED = "moved"


@dataclass(frozen=True)
class Damaged:
    """One kind of damage, and the cells that have it: ids where the assignment has them, else numbers from 1."""

    kind: Damage
    where: tuple[str, ...]

    def __str__(self) -> str:
        """Say what is wrong and what grading does about it, in the language in force."""
        wrong, done = _words(self.kind)
        return f"{wrong}: {_listed(self.where)}. {done}"


def damaged(damage: Damage, where: Sequence[str]) -> tuple[Damaged, ...]:
    """Say that these cells have this damage; nothing where there are no such cells."""
    return (Damaged(damage, tuple(dict.fromkeys(where))),) if where else ()


def _listed(where: tuple[str, ...]) -> str:
    """List the first cells; an id may be anything that a stranger wrote."""
    shown = ", ".join(printable(name, LONGEST) for name in where[:SHOWN])
    left = len(where) - SHOWN
    return shown if left <= 0 else shown + say(pl=f" i jeszcze {left}", en=f" and {left} more")


def _words(damage: Damage) -> tuple[str, str]:
    """Return what is wrong, and what grading does about it."""
    wrong_pl, done_pl, wrong_en, done_en = _WORDS[damage]
    return say(pl=wrong_pl, en=wrong_en), say(pl=done_pl, en=done_en)


_WORDS = {
    Damage.OLD_FORMAT: (
        "Notebook w starej wersji formatu (nbformat)",
        "Zamieniono go na wersję 4.",
        "The notebook is in an old version of nbformat",
        "It was converted to version 4.",
    ),
    Damage.UNREADABLE: (
        "Uszkodzone komórki (typ lub treść), numery",
        "Odczytano z nich to, co się dało.",
        "Damaged cells (type or text), numbers",
        "What could be read was kept.",
    ),
    Damage.NOT_A_PICTURE: (
        "Komórki z załącznikami, które nie są obrazami PNG ani JPEG (albo jest ich za dużo lub są za duże), numery",
        "Pozostałe obrazy zostają, tych osoba prowadząca nie zobaczy.",
        "Cells with attachments that are no PNG or JPEG pictures (or too many, or too large), numbers",
        "The other pictures stay; these the instructor will not see.",
    ),
    Damage.NO_CELL_ID: (
        "Komórki bez identyfikatora lub z identyfikatorem innej komórki, numery",
        "Zostają na miejscu i są wykonywane.",
        "Cells without an id, or with another cell's, numbers",
        "They stay in place and run.",
    ),
    Damage.MISSING: (
        "Brakujące komórki",
        "Przy ocenianiu wracają na swoje miejsce.",
        "Missing cells",
        "Grading puts them back in their place.",
    ),
    Damage.MISSING_ANSWER: (
        "Brakujące komórki na rozwiązanie lub odpowiedź",
        "Liczy się to, co jest w pozostałych komórkach.",
        "Missing cells for a solution or an answer",
        "What the other cells hold counts.",
    ),
    Damage.DOUBLED: (
        "Powtórzone komórki",
        "Wykonywane są wszystkie, oceniana jest ostatnia.",
        "Doubled cells",
        "All of them run; the last one is graded.",
    ),
    Damage.RETYPED: (
        "Komórki o zmienionym typie",
        "Przy ocenianiu przywraca się im pierwotny typ.",
        "Cells that are not of the original's type",
        "Grading restores the type.",
    ),
    Damage.EDITED: (
        "Zmienione komórki, których treść jest stała",
        "Przy ocenianiu przywraca się im pierwotną treść.",
        "Edited cells whose text is fixed",
        "Grading restores the original's text.",
    ),
    Damage.ADDED: (
        "Stałe komórki, w których dopisano własne definicje",
        "Są wykonywane także w zmienionej postaci, tuż przed oryginałem.",
        "Fixed cells with definitions of the student's own",
        "They run as edited too, just before the original.",
    ),
    Damage.METADATA_LOST: (
        "Komórki, które straciły metadane nbgradera",
        "Zostały rozpoznane; liczą się metadane z oryginału.",
        "Cells that lost nbgrader's metadata",
        "Grading recognises them and takes the original's metadata.",
    ),
    Damage.METADATA_CHANGED: (
        "Komórki o zmienionych metadanych nbgradera (punkty, rola, blokada)",
        "Liczą się metadane z oryginału.",
        "Cells whose nbgrader metadata were changed (points, role, lock)",
        "The original's count.",
    ),
    Damage.UNKNOWN: (
        "Komórki z identyfikatorem, którego nie ma w tym zadaniu",
        "Zostają na miejscu i są wykonywane jak zwykłe komórki.",
        "Cells with an id that this assignment does not have",
        "They stay in place and run like any other cell.",
    ),
    Damage.BEFORE_SOLUTION: (
        "Testy przed rozwiązaniem",
        "Przy ocenianiu trafiają za rozwiązanie.",
        "Tests before their solution",
        "Grading moves them behind it.",
    ),
    Damage.MOVED: (
        "Przestawione komórki",
        "Są wykonywane tam, gdzie stoją.",
        "Cells out of order",
        "They run where they stand.",
    ),
}
