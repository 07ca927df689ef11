"""A second lesson: sums of rows, in NumPy. CONTRIBUTING.md says how it is put together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from autograder.engine.evidence.exchange import Probe, Schema, generator
from autograder.engine.evidence.records import Failure, Name, Record
from autograder.engine.lesson import Lesson

SHAPE = (4, 7)


class SumsRecord(Record, frozen=True, tag_field="kind", tag="sums"):
    """What `row_sums` returned."""

    name: Name
    sums: Annotated[tuple[float, ...], msgspec.Meta(max_length=100)] = ()
    failure: Failure | None = None


@dataclass(frozen=True)
class SumsProbe(Probe):
    """Step the function with a matrix that nobody can foresee."""

    kind = "sums"

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Write the matrix beside the request."""
        np.save(folder / "matrix.npy", matrix(seed), allow_pickle=False)
        return super().request(seed, folder)


def matrix(seed: str) -> np.ndarray:
    """Draw the matrix of one submission."""
    return generator(seed, "matrix").standard_normal(SHAPE)


LESSON = Lesson(
    graders="tests.lessons.rows.graders",
    code={"rows": Path(__file__).parent / "recorders"},
    recorders="rows",
    schema=Schema(SumsRecord),
    title=lambda: "NumPy",
)
