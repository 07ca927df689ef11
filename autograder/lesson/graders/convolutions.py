"""What Task 1's checks share: the inputs of its probes, and the better flavour of a function's answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.engine.evidence import Fault, generator
from autograder.engine.outcomes import absent
from autograder.lesson.observations import Arguments, Array, CallProbe, CallRecord, Flavour, LessonEvidence, call_array

Float = NDArray[np.float64]
Expected = Callable[[Float, Float, int], Float]


@dataclass(frozen=True)
class Answer:
    """What one call returned, beside the inputs it was given."""

    record: CallRecord
    X: Float
    K: Float
    q: int
    returned: Array | None


class Answers:
    """A function's answers in the flavour that went better: NumPy or torch, whichever the student chose."""

    def __init__(
        self, evidence: LessonEvidence, probes: tuple[CallProbe, ...], solution: str, expected: Expected
    ) -> None:
        self.evidence = evidence
        self.probes = {probe.name: probe for probe in probes}
        self.solution = solution
        self.expected = expected
        self.flavour = Flavour.NUMPY
        self.flavour = max(Flavour, key=self._successes)

    def _successes(self, flavour: Flavour) -> tuple[int, int, int]:
        """Return how many calls were answered rightly, how many with an array, and how far the others came, in lines.

        Torch's methods fail on the first array of NumPy's that they meet: whoever wrote for tensors reads of the error
        that tensors lead to.
        """
        self.flavour = flavour
        records = [self.evidence.call(probe.cell, probe.name, flavour) for probe in self.probes.values()]
        made = [record for record in records if record is not None]
        lines = sum(record.failure.line or 0 for record in made if record.failure is not None)
        return sum(map(self.right, self.probes)), sum(record.array for record in made), lines

    def get(self, name: str) -> Answer:
        """Return the answer to one probe; raises `AbsentError` where the function is missing or raised."""
        probe = self.probes[name]
        record = self.evidence.call(probe.cell, name, self.flavour)
        X, K, q = arguments(self.evidence, probe)
        if record is None or record.failure is not None:
            failure = record.failure if record else self._not_taken(probe)
            shapes = f" [X {X.shape}, K {K.shape}]" if record and failure and failure.fault is not Fault.MISSING else ""
            raise absent(self.evidence, failure, f"{probe.function}(X, K, q){shapes}", self.solution)
        path = call_array(probe.cell, record).split("/")
        returned = self.evidence.array(*path) if record.array else None
        return Answer(record, X.astype(np.float64), K.astype(np.float64), q, returned)

    def records(self) -> list[CallRecord]:
        """Return what is known of every call, in both flavours: all of them were watched."""
        found = (self.evidence.call(p.cell, p.name, flavour) for p in self.probes.values() for flavour in Flavour)
        return [record for record in found if record is not None]

    def _not_taken(self, probe: CallProbe) -> Any:
        probed = self.evidence.probed.get(probe.cell)
        return probed.failure if probed else None

    def right(self, name: str) -> bool:
        """Whether the answer to one probe equals what is expected."""
        try:
            answer = self.get(name)
        except Exception:  # noqa: BLE001 - absent or undecided: not right, and the check of it says why
            return False
        return answer.returned is not None and close(answer, self.expected(answer.X, answer.K, answer.q))


def arguments(evidence: LessonEvidence, probe: CallProbe) -> tuple[Array, Array, int]:
    """Repeat the inputs that a probe was given."""
    X, K, q = probe.draw(generator(evidence.file.seed, f"{probe.cell}/{probe.name}"))
    assert isinstance(X, np.ndarray)
    assert isinstance(K, np.ndarray)
    assert isinstance(q, int)
    return X, K, q


def close(answer: Answer, expected: Float) -> bool:
    """Whether an answer has the right shape and no wrong value."""
    if answer.returned is None or answer.returned.shape != expected.shape:
        return False
    return not wrong_values(answer.returned.astype(np.float64), expected).any()


def wrong_values(given: Float, expected: Float) -> NDArray[np.bool_]:
    """Mark the values that are off by more than the tolerance, and those that are no numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        wrong: NDArray[np.bool_] = ~(np.abs(given - expected) <= tolerance(expected))
    return wrong


def tolerance(expected: Float) -> float:
    """Return how far a value may be off and still count as equal: 1e-5 · max|expected| + 1e-6, whatever the dtype.

    Float64 inputs ask no more: whether a student computes in float32 inside cannot be seen.
    """
    return 1e-5 * float(np.abs(expected).max()) + 1e-6


def inputs(
    h: int, w: int, d: int, k: int, q: int, dtype: str = "float32"
) -> Callable[[np.random.Generator], Arguments]:
    """Draw X (h, w, d) and K (k, k, d, q) from a normal distribution."""

    def draw(rng: np.random.Generator) -> Arguments:
        return rng.normal(size=(h, w, d)).astype(dtype), rng.normal(size=(k, k, d, q)).astype(dtype), q

    return draw


def sheet(h: int, k: int, q: int) -> Callable[[np.random.Generator], Arguments]:
    """Make the sheet's own inputs: X counts modulo 5, K modulo 3 from −1."""

    def draw(_rng: np.random.Generator) -> Arguments:
        X = np.arange(h * h * 3, dtype=np.float32).reshape(h, h, 3) % 5
        K = np.arange(k * k * 3 * q, dtype=np.float32).reshape(k, k, 3, q) % 3 - 1
        return X, K, q

    return draw
