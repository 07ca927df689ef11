"""Put a submitted notebook's cells into the instructor's frame, and name what was wrong with them.

Nothing a student wrote is lost: cells without an id stay in place, doubled cells all run and the last one holds the id,
and what was defined in a cell whose text is fixed runs before the restored cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autograder.engine.notebook.assignment import Assignment, TemplateCell
from autograder.engine.notebook.damage import Damage, Damaged, damaged
from autograder.engine.notebook.reading import FoundCell, Picture
from autograder.engine.notebook.syntax import defined


def behind_solutions(ids: Sequence[str | None], assignment: Assignment) -> dict[str, str]:
    """Return the test cells that stand before the solution they follow in the instructor's notebook, with that solution."""
    places = {name: index for index, name in enumerate(ids) if name}
    early, solution = {}, ""
    for name, cell in assignment.by_grade_id.items():
        if cell.marking.solution:
            solution = name
        elif cell.marking.grade and name in places and places[name] < places.get(solution, 0):
            early[name] = solution
    return early


def out_of_order(ids: Sequence[str], assignment: Assignment) -> tuple[str, ...]:
    """Return the cells that stand elsewhere than in the instructor's notebook: the fewest whose removal leaves its order.

    `ids` are distinct. Of a solution and its test that have changed places the test counts as moved.
    """
    rank = {name: index for index, name in enumerate(assignment.by_grade_id)}
    weights = [1.0 if assignment.by_grade_id[name].locked else 1.5 for name in ids]
    best: list[tuple[float, tuple[int, ...]]] = []  # the heaviest rising sequence that ends at each cell
    for index, name in enumerate(ids):
        before = [best[i] for i in range(index) if rank[ids[i]] < rank[name]]
        weight, chain = max(before, default=(0.0, ()))
        best.append((weight + weights[index], (*chain, index)))
    kept = set(max(best, default=(0.0, ()))[1])
    return tuple(name for index, name in enumerate(ids) if index not in kept)


@dataclass(frozen=True)
class Cell:
    """A cell to run: its text, and the instructor's id where it holds one; `number` is its place in the file, from 1."""

    kind: str
    source: str
    grade_id: str | None = None
    locked: bool = False
    cell_id: str = ""
    number: int | None = None
    pictures: tuple[Picture, ...] = ()


def repair(found: tuple[FoundCell, ...], assignment: Assignment) -> tuple[tuple[Cell, ...], tuple[Damaged, ...]]:
    """Return the cells to run, and what was wrong, in the order in which it is mended."""
    cells = _identify(found, assignment)
    claims = _misclaimed(cells, found, assignment)
    cells, doubled = _keep_last(cells)
    restored, altered = _restore(cells, assignment)
    whole, missing = _put_back(restored, assignment)
    early = behind_solutions([cell.grade_id for cell in whole], assignment)
    moved = out_of_order([cell.grade_id for cell in cells if cell.grade_id], assignment)
    return _move(whole, early), (
        *claims,
        *doubled,
        *altered,
        *missing,
        *damaged(Damage.BEFORE_SOLUTION, list(early)),
        *damaged(Damage.MOVED, [name for name in moved if name not in early]),
    )


def _identify(found: tuple[FoundCell, ...], assignment: Assignment) -> list[Cell]:
    """Find the instructor's cell each one is: by nbgrader's id, by the notebook's, else by the text of a fixed cell."""
    by_cell_id = {cell.cell_id: cell.grade_id for cell in assignment.cells if cell.grade_id}
    by_text = {cell.source.strip(): cell.grade_id for cell in assignment.cells if cell.locked}
    ids = [cell.grade_id if cell.grade_id in assignment.by_grade_id else by_cell_id.get(cell.cell_id) for cell in found]
    claimed = set(ids)
    by_text = {text: name for text, name in by_text.items() if name not in claimed}
    return [
        Cell(
            cell.kind,
            cell.source,
            name or by_text.get(cell.source.strip()),
            cell_id=cell.cell_id,
            number=number,
            pictures=cell.pictures,
        )
        for number, (cell, name) in enumerate(zip(found, ids, strict=True), start=1)
    ]


def _misclaimed(cells: list[Cell], found: tuple[FoundCell, ...], assignment: Assignment) -> tuple[Damaged, ...]:
    """Name the cells that say of themselves something else than the instructor's notebook does, or nothing."""
    lost, changed, unknown = [], [], []
    for cell, claim in zip(cells, found, strict=True):
        template = assignment.by_grade_id.get(cell.grade_id or "")
        if template is None:
            unknown += [claim.grade_id] if claim.grade_id else []
        elif claim.grade_id is None:
            lost.append(template.grade_id or "")
        elif claim.grade_id != template.grade_id or claim.marking != template.marking:
            changed.append(template.grade_id or "")
    return (
        *damaged(Damage.METADATA_LOST, lost),
        *damaged(Damage.METADATA_CHANGED, changed),
        *damaged(Damage.UNKNOWN, unknown),
    )


def _keep_last(cells: list[Cell]) -> tuple[list[Cell], tuple[Damaged, ...]]:
    """Let only the last of doubled cells hold the id."""
    last = {cell.grade_id: index for index, cell in enumerate(cells)}
    earlier = {index for index, cell in enumerate(cells) if cell.grade_id and last[cell.grade_id] != index}
    doubled = [cells[index].grade_id or "" for index in sorted(earlier)]
    kept = [replace(cell, grade_id=None) if index in earlier else cell for index, cell in enumerate(cells)]
    return kept, damaged(Damage.DOUBLED, doubled)


def _restore(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], tuple[Damaged, ...]]:
    """Give fixed cells the instructor's text and type, and the others the instructor's type."""
    restored: list[Cell] = []
    retyped, edited, added = [], [], []
    for cell in cells:
        name, template = cell.grade_id or "", assignment.by_grade_id.get(cell.grade_id or "")
        if template is None:
            restored.append(cell)
            continue
        retyped += [name] if template.kind != cell.kind else []
        if template.locked and template.source.strip() != cell.source.strip():
            edited.append(name)
            if cell.kind == "code" and defined(cell.source) - defined(template.source):
                added.append(name)
                restored.append(replace(cell, grade_id=None))
        restored.append(_restored(cell, template))
    return restored, (
        *damaged(Damage.RETYPED, retyped),
        *damaged(Damage.EDITED, edited),
        *damaged(Damage.ADDED, added),
    )


def _restored(cell: Cell, template: TemplateCell) -> Cell:
    source = template.source if template.locked else cell.source
    pictures = () if template.locked else cell.pictures
    return replace(cell, kind=template.kind, source=source, locked=template.locked, pictures=pictures)


def _put_back(cells: list[Cell], assignment: Assignment) -> tuple[list[Cell], tuple[Damaged, ...]]:
    """Insert each fixed cell that is gone where it stands in the instructor's notebook.

    A solution cell is not put back: its stub would undo what the student defined elsewhere.
    """
    whole = list(cells)
    present = {cell.grade_id for cell in cells}
    gone = [template for template in assignment.cells if template.grade_id and template.grade_id not in present]
    for template in gone:
        if template.locked:
            at = assignment.cells.index(template)
            whole.insert(_place(whole, assignment.cells[:at], assignment.cells[at + 1 :]), _as_cell(template))
    return whole, (
        *damaged(Damage.MISSING, [cell.grade_id or "" for cell in gone if cell.locked]),
        *damaged(Damage.MISSING_ANSWER, [cell.grade_id or "" for cell in gone if not cell.locked]),
    )


def _place(cells: list[Cell], before: tuple[TemplateCell, ...], after: tuple[TemplateCell, ...]) -> int:
    """Return the place before the next of the instructor's cells, past the nearest earlier one: cells may have moved."""
    earlier = next((index for template in reversed(before) if (index := _index(cells, template)) is not None), -1)
    places = (_index(cells, template) for template in after)
    return next((index for index in places if index is not None and index > earlier), len(cells))


def _index(cells: list[Cell], template: TemplateCell) -> int | None:
    """Find an instructor's cell: by the id it holds, or, where nbgrader knows none, by the notebook's own."""
    if template.grade_id:
        return next((index for index, cell in enumerate(cells) if cell.grade_id == template.grade_id), None)
    return next((index for index, cell in enumerate(cells) if cell.cell_id == template.cell_id), None)


def _as_cell(template: TemplateCell) -> Cell:
    return Cell(template.kind, template.source, template.grade_id, locked=True, cell_id=template.cell_id)


def _move(cells: list[Cell], early: dict[str, str]) -> tuple[Cell, ...]:
    """Put each early test cell just behind the cell that it tests."""
    ordered = list(cells)
    for test, solution in early.items():
        ids = [cell.grade_id for cell in ordered]
        ordered.insert(ids.index(solution), ordered.pop(ids.index(test)))
    return tuple(ordered)
