"""Task 1 as pictures: what a function returned beside the right shape, and where it is wrong, in five levels.

The levels are coarse and the inputs stay with the judge, so nobody can compute the right values from them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.engine.errors import EvidenceError
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.lesson.evidence import LessonEvidence
from autograder.lesson.findings import Comparison
from autograder.lesson.graders.convolutions import (
    MATRIX_LARGE,
    MATRIX_SMALL,
    RANDOM,
    SAME_ODD,
    SHAPES,
    SHEET,
    Answers,
    CallAnswer,
    Expected,
    Float,
    close,
    tolerance,
)
from autograder.lesson.probes import CallProbe
from reference.convolution import convolution, convolution_same

LEVELS = (0.01, 0.1, 1.0)  # of the largest right value; level 0 is what the checks call equal
SHOWN = 3
LARGEST = 64  # pixels a side


@dataclass(frozen=True)
class Function:
    """One function of Task 1: its probes, the plainest first, and what it should return."""

    probes: tuple[CallProbe, ...]
    expected: Expected
    shown: int = 1


FUNCTIONS = (
    Function((*RANDOM, *SHAPES, *SHEET), convolution, SHOWN),
    Function((MATRIX_SMALL, MATRIX_LARGE), convolution),
    Function(SAME_ODD, convolution_same),
)


def comparisons(evidence: LessonEvidence) -> tuple[Comparison, ...]:
    """Return for each function its first wrong answers, or one right answer where none is wrong."""
    return tuple(found for function in FUNCTIONS for found in _of(evidence, function))


def _of(evidence: LessonEvidence, function: Function) -> list[Comparison]:
    answers = Answers(evidence, function.probes, "", function.expected)
    right: list[Comparison] = []
    wrong: list[Comparison] = []
    for probe in function.probes:
        try:
            answer = answers.get(probe.name)
        except (AbsentError, UndecidedError, EvidenceError):  # the checks say so
            continue
        if answer.returned is None or not answer.returned.any():  # nothing to see: not an array, or the stub's zeros
            continue
        expected = function.expected(answer.X, answer.K, answer.q)
        (right if close(answer, expected) else wrong).append(_compare(probe, answer, answer.returned, expected))
    return wrong[: function.shown] or right[:1]


def _compare(probe: CallProbe, answer: CallAnswer, returned: NDArray[np.generic], expected: Float) -> Comparison:
    given = returned.astype(np.float64)
    return Comparison(
        cell=probe.cell,
        function=probe.function,
        image=answer.X.shape,
        kernel=answer.K.shape,
        expected=expected.shape,
        returned=given.shape,
        output=_rows(_grey(_first_map(given))),
        errors=_rows(_levels(given, expected)) if given.shape == expected.shape else (),
    )


def _first_map(given: Float) -> Float:
    """Return the map of the first filter, whatever the shape; nothing where there is none."""
    plane = given[..., 0] if given.ndim == 3 and given.shape[2] else given
    return plane[:LARGEST, :LARGEST] if plane.ndim == 2 else np.zeros((0, 0))


def _grey(plane: Float) -> Float:
    """Stretch a map over 0…255; what is not finite is black."""
    finite = np.nan_to_num(np.clip(plane, -1e30, 1e30), nan=plane[np.isfinite(plane)].min(initial=0.0))
    if not finite.size:
        return finite
    low, high = float(finite.min()), float(finite.max())
    scaled: Float = (finite - low) / (high - low or 1.0) * 255
    return scaled


def _levels(given: Float, expected: Float) -> Float:
    """Return for each position the largest error over the filters, as a level."""
    largest = float(np.abs(expected).max())
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.nan_to_num(np.abs(given - expected), nan=np.inf).max(axis=2)
    bounds = np.array([tolerance(expected), *(level * max(largest, 1e-30) for level in LEVELS)])
    levels: Float = np.searchsorted(bounds, error).astype(np.float64)
    return levels


def _rows(plane: Float) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(value) for value in row) for row in plane)
