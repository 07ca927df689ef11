"""How long a class takes on machines that were not measured: submissions of measured cost, given out in order to free slots."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from benchmarks.composed_class import Part, sizes


@dataclass(frozen=True)
class Cost:
    """One graded submission: seconds of its notebook, and of all else until its slot was free again."""

    notebook_s: float
    ours_s: float

    @property
    def total_s(self) -> float:
        """How long it holds a slot."""
        return self.notebook_s + self.ours_s


@dataclass(frozen=True)
class Machines:
    """What grades: `slots` submissions at a time, each as fast as measured, `start_s` after the command.

    `serial_s` is what the one command itself works for each report: no number of slots makes a class faster than that.
    """

    name: str
    slots: int
    start_s: float
    serial_s: float


@dataclass(frozen=True)
class Forecast:
    """A class's time, and how much longer that is than its notebooks alone would take on the same slots."""

    wall_s: float
    notebooks_s: float

    @property
    def overhead(self) -> float:
        """The part that is not the notebooks' own, as a fraction of theirs."""
        return self.wall_s / self.notebooks_s - 1


def class_of(students: int, shares: Mapping[Part, float], measured: Mapping[Part, Sequence[Cost]]) -> list[Cost]:
    """Return the costs of a class: each part's measured ones again and again, the parts evenly mixed as `compose` does."""
    size = {part: number for part, number in sizes(students, shares).items() if number}
    if missing := [part for part in size if not measured.get(part)]:
        raise ValueError(f"Nothing was measured of: {', '.join(missing)}.")
    placed = [
        ((i + 0.5) / number, part, cost)
        for part, number in size.items()
        for i, cost in enumerate(islice(cycle(measured[part]), number))
    ]
    return [cost for *_, cost in sorted(placed, key=lambda entry: entry[:2])]


def forecast(costs: Sequence[Cost], machines: Machines) -> Forecast:
    """Give each submission in turn to the slot that is free first; the notebooks alone are scheduled in the same way."""
    busy = _makespan([cost.total_s for cost in costs], machines.slots)
    alone = _makespan([cost.notebook_s for cost in costs], machines.slots)
    return Forecast(machines.start_s + max(busy, machines.serial_s * len(costs)), alone)


def _makespan(seconds: Sequence[float], slots: int) -> float:
    free = [0.0] * slots
    for taken in seconds:
        heapq.heapreplace(free, free[0] + taken)
    return max(free)
