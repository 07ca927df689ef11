"""Makes the findings for the HTML pages: pictures, curves and tables, from what was measured.

Task 1: what a function returned beside the right shape, and where it is wrong, in five levels; these are coarse and the
inputs stay with the judge, so nobody can compute the right values from them. Tasks 3 and 4: the networks, and the best
one's mistakes. Task 5: the maps that `cam` gave, laid over the visible images they belong to.

An error in one picture loses only that picture, never the page or the grade.
"""

import io
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.lesson.findings import Best, CNNFindings, Comparison, Layer, Misclassified, ModelFinding, Overlay
from autograder.lesson.graders.activations import CELL, judged_model
from autograder.lesson.graders.convolutions import (
    MATRIX_LARGE,
    MATRIX_OTHER,
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
from autograder.lesson.measure import MeasuredModel, Measurements
from autograder.lesson.observations import CallProbe, History, LessonEvidence, MapRecord, ModelRecord, map_array
from reference.convolution import convolution, convolution_same
from reference.data import CLASSES
from reference.evaluation import confusion

LARGEST_SCORE = 1e30  # scores and map values are clipped to this, so that their differences stay finite

Bytes = NDArray[np.uint8]
Drawn = TypeVar("Drawn")


def draw_findings(measurements: Measurements) -> CNNFindings:
    """Return what pages show of a submission; never raises for what its evidence holds."""
    faults: list[str] = []

    def drawn(draw: Callable[[Measurements], Drawn], instead: Drawn) -> Drawn:
        try:
            return draw(measurements)
        except Exception as error:  # noqa: BLE001 - whatever a student's arrays make the libraries trip over
            faults.append(f"{draw.__name__}: {type(error).__name__}")
            return instead

    nothing: Best | None = None
    return CNNFindings(
        comparisons=drawn(comparisons, ()),
        models=drawn(models, ()),
        best=drawn(best, nothing),
        overlays=drawn(overlays, ()),
        faults=tuple(faults),
    )


# Task 1

LEVELS = (0.01, 0.1, 1.0)  # of the largest right value; level 0 is what the checks call equal
LARGEST_COMPARED = 64  # pixels a side


class ComparedFunction(NamedTuple):
    """One function of Task 1: its probes, the plainest first, what it should return, how many wrong answers are shown."""

    probes: tuple[CallProbe, ...]
    expected: Expected
    shown: int


FUNCTIONS = (
    ComparedFunction((*RANDOM, *SHAPES, *SHEET), convolution, 3),
    ComparedFunction((MATRIX_SMALL, MATRIX_LARGE, MATRIX_OTHER), convolution, 1),
    ComparedFunction(SAME_ODD, convolution_same, 1),
)


def comparisons(measurements: Measurements) -> tuple[Comparison, ...]:
    """Return for each function its first wrong answers, or one right answer where none is wrong."""
    found: list[Comparison] = []
    for probes, expected, shown in FUNCTIONS:
        answers = Answers(measurements.evidence, probes, "", expected)
        right: list[Comparison] = []
        wrong: list[Comparison] = []
        for probe in probes:
            try:
                answer = answers.get(probe.name)
            except (AbsentError, UndecidedError, EvidenceError):  # the checks say so
                continue
            if answer.returned is None or not answer.returned.any():  # not an array, or the stub's zeros
                continue
            wanted = expected(answer.X, answer.K, answer.q)
            (right if close(answer, wanted) else wrong).append(_compare(probe, answer, answer.returned, wanted))
        found += wrong[:shown] or right[:1]
    return tuple(found)


def _compare(probe: CallProbe, answer: CallAnswer, returned: NDArray[np.generic], expected: Float) -> Comparison:
    given = returned.astype(np.float64)
    return Comparison(
        cell=probe.cell,
        function=probe.function,
        image=answer.X.shape,
        kernel=answer.K.shape,
        expected=expected.shape,
        returned=given.shape,
        output=_rows(_first_map_grey(given)),
        errors=_rows(_levels(given, expected)) if given.shape == expected.shape else (),
    )


def _first_map_grey(given: Float) -> Float:
    """Stretch the first filter's map over 0…255, what is not finite being black; nothing where there is no map."""
    plane = given[..., 0] if given.ndim == 3 and given.shape[2] else given
    plane = plane[:LARGEST_COMPARED, :LARGEST_COMPARED] if plane.ndim == 2 else np.zeros((0, 0))
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


# Tasks 3 and 4

MISREAD = 12
EPOCHS = 200  # of a curve: more than a plot can show
LAYERS = 300
SUM_TOLERANCE = 1e-4


def models(measurements: Measurements) -> tuple[ModelFinding, ...]:
    """Return every model the notebook gave, in the notebook's order of tasks; a table only where it is verified."""
    records = {r.name: r for r in measurements.evidence.of_type(ModelRecord) if r.failure is None}
    found = []
    for name, record in records.items():
        history = record.history or History()
        epochs = len(history.train_loss or history.val_loss or history.val_accuracy or ())
        curves = (history.train_loss, history.val_loss, history.val_accuracy)
        thinned = History(*(_thin(curve) if curve else curve for curve in curves)) if record.history else None
        layers = _layers(measurements.verified[name]) if name in measurements.verified else ()
        found.append(ModelFinding(name, epochs, thinned, record.results, layers))
    return tuple(found)


def _thin(curve: tuple[float | None, ...]) -> tuple[float | None, ...]:
    """Keep at most `EPOCHS` values of a curve, the last one always."""
    return curve[::-1][:: -(-len(curve) // EPOCHS)][::-1]


def _layers(model: MeasuredModel) -> tuple[Layer, ...]:
    """Return at most `LAYERS` rows of the model's table; sizes in another form than integers are left out."""

    def sizes(given: object) -> tuple[int, ...]:
        plain = isinstance(given, list | tuple) and all(isinstance(size, int) for size in given)
        return tuple(map(int, given)) if plain else ()  # type: ignore[call-overload]

    leaves = [layer for layer in model.summary.summary_list if layer.is_leaf_layer]
    return tuple(
        Layer(layer.class_name, sizes(layer.output_size), sizes(layer.kernel_size), max(layer.num_params, 0))
        for layer in leaves[:LAYERS]
    )


def best(measurements: Measurements) -> Best | None:
    """Return the findings of the model with the highest held-out accuracy, on the visible images; or None."""
    verified = measurements.verified
    if not verified:
        return None
    name = max(verified, key=lambda name: verified[name].held_out.accuracy)
    scores, visible = verified[name].visible.scores, measurements.images.visible
    if scores.shape != (len(visible.labels), CLASSES):
        return None
    counts = confusion(scores.argmax(1), visible.labels, CLASSES)
    return Best(name, tuple(map(tuple, counts.tolist())), _misread(scores, measurements))


def _misread(scores: Tensor, measurements: Measurements) -> tuple[Misclassified, ...]:
    """Return the images that got a wrong class, those where the model was most sure of it first."""
    visible = measurements.images.visible
    shares, sureness = _shares(scores)
    wrong = (scores.argmax(1) != visible.labels).nonzero()[:, 0]
    surest = wrong[sureness[wrong].argsort(descending=True, stable=True)][:MISREAD]
    return tuple(
        Misclassified(
            image_png(visible.images[index]),
            int(visible.labels[index]),
            int(scores[index].argmax()),
            round(float(shares[index].max()), 4),
        )
        for index in surest.tolist()
    )


def _shares(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return each class's probability, (N, classes), and the log-odds (N,) of the most probable class.

    Log-odds still order what float64 rounds to 1. Scores that are shares already, from a softmax, are left as they are.
    """
    logits = scores.double().nan_to_num().clamp(-LARGEST_SCORE, LARGEST_SCORE)
    if bool((logits >= 0).all() and (logits.sum(1) - 1).abs().max() < SUM_TOLERANCE):
        logits = logits.clamp(min=torch.finfo(torch.float64).tiny).log()
    most, top = logits.max(1)
    rest = logits.scatter(1, top[:, None], -torch.inf).logsumexp(1)
    return logits.softmax(1), most - rest


# Task 5

SHOWN = 4
LARGEST_MAP = 1_024  # pixels a side
ENLARGED = 112  # pixels a side of a map over its image
# Anchors of a scale from black over violet and orange to pale yellow: lightness alone orders it, in grey print too.
HEAT = np.array([[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]], dtype=np.float64)
HEAT_SHARE = 0.6


def overlays(measurements: Measurements) -> tuple[Overlay, ...]:
    """Return the first valid maps of the model that Task 5 judges, or, if none fits, of the first model with maps."""
    evidence = measurements.evidence
    found: dict[str, list[tuple[MapRecord, Float]]] = {}
    for record in evidence.maps(CELL):
        if (
            record.array
            and record.failure is None
            and (activation := _drawable_map(evidence, record, measurements)) is not None
        ):
            found.setdefault(record.model, []).append((record, activation))
    try:
        judged = judged_model(evidence, measurements).name
    except (AbsentError, AssertionError, EvidenceError, UndecidedError):  # the check says so
        judged = ""
    chosen = found.get(judged) or next(iter(found.values()), [])
    visible = measurements.images.visible
    return tuple(
        Overlay(
            record.model,
            int(visible.labels[record.image]),
            record.class_index,
            enlarged_png(visible.images[record.image]),
            overlay_png(visible.images[record.image], activation),
        )
        for record, activation in chosen[:SHOWN]
    )


def _drawable_map(evidence: LessonEvidence, record: MapRecord, measurements: Measurements) -> Float | None:
    """Return a map (h, w); None where it cannot be drawn over the image that it is of."""
    activation: Float = evidence.array("arrays", map_array(record)).astype(np.float64)
    there = record.image < len(measurements.images.visible.labels) and 0 <= record.class_index < CLASSES
    drawable = activation.ndim == 2 and 0 < activation.size <= LARGEST_MAP**2 and np.isfinite(activation).all()
    return activation if there and drawable else None


def image_png(image: Tensor) -> bytes:
    """Return a data set's image, uint8 (H, W) or (H, W, 3), as it is."""
    return _png(_colours(image))


def enlarged_png(image: Tensor) -> bytes:
    """Return the image at the size of `overlay_png`, its pixels kept as squares."""
    return _png(_resized(_colours(image), Image.Resampling.NEAREST))


def overlay_png(image: Tensor, activation: NDArray[np.float64]) -> bytes:
    """Lay a map (h, w) of any scale over its image, uint8 (H, W) or (H, W, 3)."""
    plain = np.clip(activation, -LARGEST_SCORE, LARGEST_SCORE)
    low, high = float(plain.min()), float(plain.max())
    scaled = (plain - low) / (high - low or 1.0)
    plane = _resized((scaled * 255).astype(np.uint8), Image.Resampling.BILINEAR).astype(np.float64) / 255
    anchors = np.linspace(0, 1, len(HEAT))
    heat = np.stack([np.interp(plane, anchors, HEAT[:, channel]) for channel in range(3)], axis=-1)
    grey = _resized(_colours(image), Image.Resampling.NEAREST).mean(axis=-1, keepdims=True)
    return _png((HEAT_SHARE * heat + (1 - HEAT_SHARE) * grey).astype(np.uint8))


def _colours(image: Tensor) -> Bytes:
    pixels: Bytes = image.numpy()
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _resized(pixels: Bytes, how: Image.Resampling) -> Bytes:
    return np.asarray(Image.fromarray(pixels).resize((ENLARGED, ENLARGED), how))


def _png(pixels: Bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()
