"""The submissions that are measured: one of each sort for a comparison of graders, and classes of any size composed of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Any

from tests.submissions import RIGHT, WRONG, fill
from tests.submissions.corpus import CORPUS, cells_of
from tests.submissions.hostile import ATTACKS, PLAIN, Attack
from tests.submissions.right import TASK_1, TASK_2


class Part(StrEnum):
    """The parts of a class."""

    WHOLE = "whole"
    PARTIAL = "partial"
    UNTOUCHED = "untouched"
    HOSTILE = "hostile"


SHARES = {Part.WHOLE: 0.6, Part.PARTIAL: 0.2, Part.UNTOUCHED: 0.1, Part.HOSTILE: 0.1}
LIGHT = {Part.PARTIAL: 0.5, Part.UNTOUCHED: 0.25, Part.HOSTILE: 0.25}
"""The same without the whole ones, which train for a minute each."""


@dataclass(frozen=True)
class Sample:
    """A submission by its cells, as `tests.submissions.fill` takes them; with a number it equals no other one.

    `deserves` is the points of what it really does, bonus points too; None where a marking scheme would decide.
    """

    name: str
    part: Part
    cells: Mapping[str, str]
    deserves: float | None = None
    reshape: Callable[[Any], None] | None = None
    number: int | None = None

    def notebook(self) -> Any:
        """Return the release filled in."""
        made = fill(self.cells)
        if self.number is not None:
            next(cell for cell in made.cells if cell.id == "task1_same").source += f"\n# {self.number}"
        if self.reshape is not None:
            self.reshape(made)
        return made


# What otter's students would try: its own tests say yes. nbgrader's counterpart is `takes-asserts-out`.
SAYS_YES = """
try:
    from otter.test_files import exception_test
    exception_test.test_case.call_func = lambda self, environment: None
except ImportError:
    pass
"""
COMPARED_ATTACKS = (
    "takes-asserts-out",
    "runs-nothing",
    "exits-at-once",
    "learns-the-visible-images",
    "a-library-by-another-name",
    "a-table-of-answers",
)
"""None of them harms a machine."""


def _of_corpus(start: str, part: Part) -> Iterator[Sample]:
    """Yield the submissions of the corpus whose names begin so."""
    return (Sample(name, part, cells_of(sample)) for name, sample in CORPUS.items() if name.startswith(start))


def _attack(attack: Attack) -> Sample:
    return Sample(attack.name, Part.HOSTILE, attack.cells, sum(attack.earns.values()), attack.reshape)


COMPARED = (
    Sample("right", Part.WHOLE, RIGHT, 20.5),
    Sample("wrong", Part.WHOLE, WRONG),
    Sample("partial", Part.PARTIAL, TASK_1 | TASK_2, 8.0),
    Sample("untouched", Part.UNTOUCHED, {}, 0.0),
    *(_attack(attack) for name in COMPARED_ATTACKS for attack in ATTACKS if attack.name == name),
    Sample("says-yes-to-otter", Part.HOSTILE, TASK_2 | {"task1_matrix": SAYS_YES}, 3.0),
)
"""One submission of each sort, by cells alone: otter's notebook has the same ids, and no other structure of the release's."""

PLANTED = (
    *(f"task1_{name}_tests" for name in ("convolution", "matrix", "same")),
    *(f"task2_case_{n}_tests" for n in (1, 2)),
    *(f"task3_{name}_tests" for name in ("architecture", "training")),
    *(f"task4_exp{n}_tests" for n in (2, 3, 5)),
    "task4_single_loop_tests",
    "task5_cam_tests",
)
"""The test cells of the wrong sample whose work has a mistake in it, or is left out."""

OF_PART: Mapping[Part, tuple[Sample, ...]] = {
    Part.WHOLE: (*COMPARED[:2], *_of_corpus("right/whole-", Part.WHOLE)),
    Part.PARTIAL: (*_of_corpus("right/convolution-", Part.PARTIAL), *_of_corpus("right/baseline-", Part.PARTIAL)),
    Part.UNTOUCHED: (COMPARED[3],),
    Part.HOSTILE: tuple(map(_attack, PLAIN)),
}


def sizes(students: int, shares: Mapping[Part, float]) -> dict[Part, int]:
    """Divide a class into its parts: whole students, as near to the shares as can be (largest remainders)."""
    exact = {part: students * share for part, share in shares.items()}
    size = {part: int(number + 1e-9) for part, number in exact.items()}
    by_remainder = sorted(exact, key=lambda part: size[part] - exact[part])
    for part in by_remainder[: students - sum(size.values())]:
        size[part] += 1
    return size


def compose(students: int, shares: Mapping[Part, float]) -> Iterator[tuple[str, Sample]]:
    """Yield a class, its parts evenly mixed, each by its name: the number first, which is also the order of grading."""
    size = sizes(students, shares)
    places = sorted(((i + 0.5) / number, part) for part, number in size.items() for i in range(number))
    numbers = {part: count() for part in size}
    for place, (_, part) in enumerate(places):
        number = next(numbers[part])
        yield f"{place:03}-{part}", replace(OF_PART[part][number % len(OF_PART[part])], number=place)
