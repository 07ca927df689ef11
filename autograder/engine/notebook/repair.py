"""Repairs a submitted notebook: restores the instructor's cells, ids and types, and lists the damage.

Nothing a student wrote is lost: cells without an id stay in place, doubled cells all run and the last one holds the id,
and what was defined in a cell whose text is fixed runs before the restored cell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from autograder.engine.notebook.assignment import Assignment, TemplateCell
from autograder.engine.notebook.reading import FoundCell, NotebookFile, Picture
from autograder.engine.notebook.syntax import defined
from autograder.engine.text import printable, say

MAX_NAMED = 20
MAX_NAME = 60


class DamageKind(Enum):
    """What can be wrong with a notebook, and what grading does about it: in Polish, then in English.

    Grading mends or ignores each kind; none costs points by itself. Reports name them in this order.
    """

    OLD_FORMAT = (
        "Notebook w starej wersji formatu (nbformat)",
        "Zamieniono go na wersję 4.",
        "The notebook is in an old version of nbformat",
        "It was converted to version 4.",
    )
    UNREADABLE = (
        "Uszkodzone komórki (typ lub treść), numery",
        "Odczytano z nich to, co się dało.",
        "Damaged cells (type or text), numbers",
        "What could be read was kept.",
    )
    NOT_A_PICTURE = (
        "Komórki z załącznikami, które nie są obrazami PNG ani JPEG (albo jest ich za dużo lub są za duże), numery",
        "Pozostałe obrazy zostają, tych osoba prowadząca nie zobaczy.",
        "Cells with attachments that are no PNG or JPEG pictures (or too many, or too large), numbers",
        "The other pictures stay; these the instructor will not see.",
    )
    NO_CELL_ID = (
        "Komórki bez identyfikatora lub z identyfikatorem innej komórki, numery",
        "Zostają na miejscu i są wykonywane.",
        "Cells without an id, or with another cell's, numbers",
        "They stay in place and run.",
    )
    METADATA_LOST = (
        "Komórki, które straciły metadane nbgradera",
        "Zostały rozpoznane; liczą się metadane z oryginału.",
        "Cells that lost nbgrader's metadata",
        "Grading recognises them and takes the original's metadata.",
    )
    METADATA_CHANGED = (
        "Komórki o zmienionych metadanych nbgradera (punkty, rola, blokada)",
        "Liczą się metadane z oryginału.",
        "Cells whose nbgrader metadata were changed (points, role, lock)",
        "The original's count.",
    )
    UNKNOWN = (
        "Komórki z identyfikatorem, którego nie ma w tym zadaniu",
        "Zostają na miejscu i są wykonywane jak zwykłe komórki.",
        "Cells with an id that this assignment does not have",
        "They stay in place and run like any other cell.",
    )
    DOUBLED = (
        "Powtórzone komórki",
        "Wykonywane są wszystkie, oceniana jest ostatnia.",
        "Doubled cells",
        "All of them run; the last one is graded.",
    )
    RETYPED = (
        "Komórki o zmienionym typie",
        "Przy ocenianiu przywraca się im pierwotny typ.",
        "Cells that are not of the original's type",
        "Grading restores the type.",
    )
    EDITED = (
        "Zmienione komórki, których treść jest stała",
        "Przy ocenianiu przywraca się im pierwotną treść.",
        "Edited cells whose text is fixed",
        "Grading restores the original's text.",
    )
    ADDED = (
        "Stałe komórki, w których dopisano własne definicje",
        "Są wykonywane także w zmienionej postaci, tuż przed oryginałem.",
        "Fixed cells with definitions of the student's own",
        "They run as edited too, just before the original.",
    )
    MISSING = (
        "Brakujące komórki",
        "Przy ocenianiu wracają na swoje miejsce.",
        "Missing cells",
        "Grading puts them back in their place.",
    )
    MISSING_ANSWER = (
        "Brakujące komórki na rozwiązanie lub odpowiedź",
        "Liczy się to, co jest w pozostałych komórkach.",
        "Missing cells for a solution or an answer",
        "What the other cells hold counts.",
    )
    BEFORE_SOLUTION = (
        "Testy przed rozwiązaniem",
        "Przy ocenianiu trafiają za rozwiązanie.",
        "Tests before their solution",
        "Grading moves them behind it.",
    )
    MOVED = (
        "Przestawione komórki",
        "Są wykonywane tam, gdzie stoją.",
        "Cells out of order",
        "They run where they stand.",
    )


@dataclass(frozen=True)
class Damage:
    """One kind of damage and the cells that have it, by id if known to the assignment, else by number from 1."""

    kind: DamageKind
    where: tuple[str, ...]

    def __str__(self) -> str:
        """Say what is wrong and what grading does about it; an id may be anything that a student wrote."""
        wrong_pl, done_pl, wrong_en, done_en = self.kind.value
        cells, more = (
            ", ".join(printable(name, MAX_NAME) for name in self.where[:MAX_NAMED]),
            len(self.where) - MAX_NAMED,
        )
        if more > 0:
            cells += say(pl=f" i jeszcze {more}", en=f" and {more} more")
        return say(pl=f"{wrong_pl}: {cells}. {done_pl}", en=f"{wrong_en}: {cells}. {done_en}")


@dataclass(frozen=True)
class Cell:
    """A cell to run: its text, and the instructor's id where it holds one.

    `cell_id` is the notebook's own id of it; `checksum` the one that nbgrader's metadata give, of the text as released.
    """

    kind: str
    source: str
    grade_id: str | None = None
    locked: bool = False
    cell_id: str = ""
    pictures: tuple[Picture, ...] = ()
    checksum: str = ""


Places = defaultdict[DamageKind, list[str]]


def repair(file: NotebookFile, assignment: Assignment) -> tuple[tuple[Cell, ...], tuple[Damage, ...]]:
    """Return the cells to run, and what was wrong with the notebook."""
    damage = _reading_damage(file)
    cells = _identify(file.cells, assignment, damage)
    last = {cell.grade_id: index for index, cell in enumerate(cells)}
    for index, cell in enumerate(cells):
        if cell.grade_id and last[cell.grade_id] != index:
            damage[DamageKind.DOUBLED].append(cell.grade_id)
            cells[index] = replace(cell, grade_id=None)
    moved = _out_of_order([cell.grade_id for cell in cells if cell.grade_id], assignment)
    cells = _restore(cells, assignment, damage)
    _put_back(cells, assignment, damage)
    early = _tests_before_solutions(cells, assignment)
    for test, solution in early.items():
        ids = [cell.grade_id for cell in cells]
        cells.insert(ids.index(solution), cells.pop(ids.index(test)))
    damage[DamageKind.BEFORE_SOLUTION] += early
    damage[DamageKind.MOVED] += [name for name in moved if name not in early]
    return tuple(cells), tuple(Damage(kind, tuple(dict.fromkeys(damage[kind]))) for kind in DamageKind if damage[kind])


def _reading_damage(file: NotebookFile) -> Places:
    """Return the damage found while reading the file, including ids that Jupyter would not give."""
    holders = Counter(cell.cell_id for cell in file.cells)
    has_ids = file.version == 4 and file.minor >= 5

    def numbers(marked: Iterable[bool]) -> list[str]:
        return [str(number) for number, is_marked in enumerate(marked, start=1) if is_marked]

    damage = Places(list)
    damage[DamageKind.OLD_FORMAT] = [str(file.version)] if file.version < 4 else []
    damage[DamageKind.UNREADABLE] = numbers(not cell.is_whole for cell in file.cells)
    damage[DamageKind.NOT_A_PICTURE] = numbers(cell.lost_attachments for cell in file.cells)
    damage[DamageKind.NO_CELL_ID] = numbers(has_ids and not (c.cell_id and holders[c.cell_id] == 1) for c in file.cells)
    return damage


def _identify(found: tuple[FoundCell, ...], assignment: Assignment, damage: Places) -> list[Cell]:
    """Match each cell to the instructor's: by nbgrader's id, the notebook's cell id, or a locked cell's text."""
    by_cell_id = {cell.cell_id: cell.grade_id for cell in assignment.cells if cell.grade_id}
    ids = [cell.grade_id if cell.grade_id in assignment.by_grade_id else by_cell_id.get(cell.cell_id) for cell in found]
    claimed = set(ids)
    fixed = [cell for cell in assignment.cells if cell.locked and cell.grade_id not in claimed]
    by_text = {cell.source.strip(): cell.grade_id for cell in fixed}
    cells = []
    for cell, known in zip(found, ids, strict=True):
        name = known or by_text.get(cell.source.strip())
        template = assignment.by_grade_id.get(name or "")
        if template is None:
            damage[DamageKind.UNKNOWN] += [cell.grade_id] if cell.grade_id else []
        elif cell.grade_id is None:
            damage[DamageKind.METADATA_LOST].append(name or "")
        elif cell.grade_id != name or cell.marking != template.marking:
            damage[DamageKind.METADATA_CHANGED].append(name or "")
        made = Cell(cell.kind, cell.source, name, cell_id=cell.cell_id, pictures=cell.pictures, checksum=cell.checksum)
        cells.append(made)
    return cells


def _restore(cells: list[Cell], assignment: Assignment, damage: Places) -> list[Cell]:
    """Give fixed cells the instructor's text and type, and the others the instructor's type."""
    restored: list[Cell] = []
    for cell in cells:
        name = cell.grade_id or ""
        template = assignment.by_grade_id.get(name)
        if template is None:
            restored.append(cell)
            continue
        if template.kind != cell.kind:
            damage[DamageKind.RETYPED].append(name)
        if not template.locked:
            restored.append(replace(cell, kind=template.kind))
            continue
        if template.source.strip() != cell.source.strip():
            damage[DamageKind.EDITED].append(name)
            if cell.kind == "code" and defined(cell.source) - defined(template.source):
                damage[DamageKind.ADDED].append(name)
                restored.append(replace(cell, grade_id=None))
        restored.append(replace(cell, kind=template.kind, source=template.source, locked=True, pictures=()))
    return restored


def _put_back(cells: list[Cell], assignment: Assignment, damage: Places) -> None:
    """Insert each missing locked cell at its place in the instructor's notebook.

    A solution cell is not put back: its stub would undo what the student defined elsewhere.
    """
    present = {cell.grade_id for cell in cells}
    for at, template in enumerate(assignment.cells):
        if not template.grade_id or template.grade_id in present:
            continue
        damage[DamageKind.MISSING if template.locked else DamageKind.MISSING_ANSWER].append(template.grade_id)
        if template.locked:
            made = Cell(template.kind, template.source, template.grade_id, locked=True, cell_id=template.cell_id)
            cells.insert(_place(cells, assignment.cells[:at], assignment.cells[at + 1 :]), made)


def _place(cells: list[Cell], before: tuple[TemplateCell, ...], after: tuple[TemplateCell, ...]) -> int:
    """Return the place before the next of the instructor's cells, past the nearest earlier one: cells may have moved."""
    by_grade_id = {cell.grade_id: index for index, cell in reversed([*enumerate(cells)])}
    by_cell_id = {cell.cell_id: index for index, cell in reversed([*enumerate(cells)])}

    def places(templates: Iterable[TemplateCell]) -> Iterable[int]:
        """Find the instructor's cells: by the id they hold, or, where nbgrader knows none, by the notebook's own."""
        found = (by_grade_id.get(t.grade_id) if t.grade_id else by_cell_id.get(t.cell_id) for t in templates)
        return (index for index in found if index is not None)

    earlier = next(iter(places(reversed(before))), -1)
    return next((index for index in places(after) if index > earlier), len(cells))


def _tests_before_solutions(cells: list[Cell], assignment: Assignment) -> dict[str, str]:
    """Return the test cells that stand before the solution they follow in the instructor's notebook, with that solution."""
    places = {cell.grade_id: index for index, cell in enumerate(cells) if cell.grade_id}
    early, solution = {}, ""
    for name, cell in assignment.by_grade_id.items():
        if cell.marking.solution:
            solution = name
        elif cell.marking.grade and name in places and places[name] < places.get(solution, 0):
            early[name] = solution
    return early


def _out_of_order(ids: list[str], assignment: Assignment) -> list[str]:
    """Return the cells that stand elsewhere than in the instructor's notebook: the fewest whose removal leaves its order.

    `ids` are distinct. Of a solution and its test that have changed places the test counts as moved.
    """
    rank = {name: index for index, name in enumerate(assignment.by_grade_id)}
    weights = [1.0 if assignment.by_grade_id[name].locked else 1.5 for name in ids]
    best: list[tuple[float, tuple[int, ...]]] = []  # the heaviest increasing subsequence that ends at each cell
    for index, name in enumerate(ids):
        before = [best[i] for i in range(index) if rank[ids[i]] < rank[name]]
        weight, chain = max(before, default=(0.0, ()))
        best.append((weight + weights[index], (*chain, index)))
    kept = set(max(best, default=(0.0, ()))[1])
    return [name for index, name in enumerate(ids) if index not in kept]
