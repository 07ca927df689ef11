"""Look at one submission through the judge's measurements, and note what its page will show.

A fault in one picture costs that picture: never the page, never the grade.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torchinfo import ModelStatistics

from autograder.lesson.data import CLASSES
from autograder.lesson.evidence import LessonEvidence
from autograder.lesson.findings import Best, CNNFindings, Layer, Misread, ModelFinding
from autograder.lesson.measure import Measurements
from autograder.lesson.records import History, ModelRecord
from reference.evaluation import confusion

from .comparisons import comparisons
from .overlays import image_png, overlays

MISREAD = 12
EPOCHS = 200
LAYERS = 300
LARGEST = 1e30  # of scores, whose differences are still numbers
SUM_TOLERANCE = 1e-4


def models(evidence: LessonEvidence, measurements: Measurements) -> tuple[ModelFinding, ...]:
    """Return every model the notebook gave, in the notebook's order of tasks; a table only where it is verified."""
    verified = measurements.verified
    records = {
        record.name: record
        for taken in evidence.taken.values()
        for record in taken
        if isinstance(record, ModelRecord) and record.failure is None
    }
    return tuple(
        ModelFinding(
            name,
            _epochs(record.history),
            _thinned(record.history),
            record.results,
            _layers(verified[name].summary) if name in verified else (),
        )
        for name, record in records.items()
    )


def best(measurements: Measurements) -> Best | None:
    """Return the model with the highest accuracy on held-out images, seen on the images the notebook had; or None."""
    verified = measurements.verified
    if not verified:
        return None
    name = max(verified, key=lambda name: verified[name].held_out.accuracy)
    scores, visible = verified[name].visible_scores, measurements.split.visible
    if scores.shape != (len(visible.labels), CLASSES):
        return None
    counts = confusion(scores.argmax(1), visible.labels, CLASSES)
    return Best(name, tuple(map(tuple, counts.tolist())), _misread(scores, measurements))


def _misread(scores: torch.Tensor, measurements: Measurements) -> tuple[Misread, ...]:
    """Return the images that got a wrong class, those where the model was most sure of it first."""
    visible = measurements.split.visible
    shares, sureness = _shares(scores)
    wrong = (scores.argmax(1) != visible.labels).nonzero()[:, 0]
    surest = wrong[sureness[wrong].argsort(descending=True, stable=True)][:MISREAD]
    return tuple(
        Misread(
            image_png(visible.images[index]),
            int(visible.labels[index]),
            int(scores[index].argmax()),
            round(float(shares[index].max()), 4),
        )
        for index in surest.tolist()
    )


def _shares(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what each class got of 1, (N, classes), and the log-odds (N,) of the class that got most.

    Log-odds still order what float64 rounds to 1. Scores that are shares already, from a softmax, are left as they are.
    """
    plain = scores.double().nan_to_num().clamp(-LARGEST, LARGEST)
    if bool((plain >= 0).all() and (plain.sum(1) - 1).abs().max() < SUM_TOLERANCE):
        logits = plain.clamp(min=torch.finfo(torch.float64).tiny).log()
    else:
        logits = plain
    most, top = logits.max(1)
    rest = logits.scatter(1, top[:, None], -torch.inf).logsumexp(1)
    return logits.softmax(1), most - rest


def _layers(info: ModelStatistics) -> tuple[Layer, ...]:
    """Return the rows of the model's table, as many as a page can bear."""
    leaves = [layer for layer in info.summary_list if layer.is_leaf_layer]
    return tuple(
        Layer(layer.class_name, _sizes(layer.output_size), _sizes(layer.kernel_size), max(layer.num_params, 0))
        for layer in leaves[:LAYERS]
    )


def _sizes(said: object) -> tuple[int, ...]:
    """Return the sizes torchinfo gives; nothing where it gives them in another form."""
    return tuple(map(int, said)) if isinstance(said, list | tuple) and all(isinstance(s, int) for s in said) else ()


def _epochs(history: History | None) -> int:
    return len(history.train_loss or history.val_loss or history.val_accuracy or ()) if history else 0


def _thinned(history: History | None) -> History | None:
    """Keep at most `EPOCHS` values a curve, the last one always: more than a plot can show."""
    if history is None:
        return None
    curves = (history.train_loss, history.val_loss, history.val_accuracy)
    return History(*(_thin(curve) if curve else curve for curve in curves))


def _thin(curve: tuple[float | None, ...]) -> tuple[float | None, ...]:
    step = -(-len(curve) // EPOCHS)
    return curve[::-1][::step][::-1]


Drawn = TypeVar("Drawn")


def look(evidence: LessonEvidence, measurements: Measurements) -> CNNFindings:
    """Return what was found; never raises for what the evidence holds."""
    faults: list[str] = []
    nothing: Best | None = None
    return CNNFindings(
        comparisons=_drawn(faults, (), comparisons, evidence),
        models=_drawn(faults, (), models, evidence, measurements),
        best=_drawn(faults, nothing, best, measurements),
        overlays=_drawn(faults, (), overlays, evidence, measurements),
        faults=tuple(faults),
    )


def _drawn(faults: list[str], instead: Drawn, draw: Callable[..., Drawn], *arguments: object) -> Drawn:
    try:
        return draw(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's arrays make the libraries trip over
        faults.append(f"{draw.__name__}: {type(error).__name__}")
        return instead
