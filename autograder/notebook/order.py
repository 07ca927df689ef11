"""The order of a submission's cells against the instructor's: which stand elsewhere, which tests come too early."""

from collections.abc import Sequence

from autograder.notebook.assignment import Assignment


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
