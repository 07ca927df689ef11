"""Flags for a person: signs that a network was not trained in this run, or not as the notebook says.

None of them proves anything, each has an honest explanation, so none changes a score or a status.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import combinations, groupby

from autograder.engine.report import NOT_EXAMINED, Flag
from autograder.lesson.measure import ACCURACY_GRADED, REALLY_TRAINED, REQUIRED, MeasuredModel, Measurements
from autograder.lesson.observations import Gradients, ModelRecord
from autograder.lesson.thresholds import ceiling, fall_limit

SAME_PREDICTIONS = 0.995  # of the images on which two networks decide the same; trained apart they reach about 0.9
SHARED = 0.1  # of a network's parameters
SMALLEST = 32  # elements of a tensor that is alike in two networks by no accident
REACHED = 0.75  # of the parameter tensors
FAR = 0.15  # between a history's accuracies and the measured one: other images, a few hundred of them
WORD, DISTINCT, PACKED = 100, 10, 2_000  # characters
NUMBERS = 200
NUMBER = re.compile(r"[-+]?\d[\d.eE+-]*")

Rule = Callable[[Measurements], Iterator[Flag]]


def raise_flags(measured: Measurements) -> tuple[Flag, ...]:
    """Return a submission's flags; never raises, since flags must not affect the grade."""
    found: list[Flag] = []
    for rule in RULES:
        try:
            found += rule(measured)
        except Exception:  # noqa: BLE001 - a fault of ours in it costs this flag, and says so
            found.append(NOT_EXAMINED)
    return tuple(found)


def no_backward(measured: Measurements) -> Iterator[Flag]:
    """No gradient step was seen for a network."""
    for name, seen in _gradients(measured).items():
        if not seen.steps:
            yield Flag("no_backward", _cells(measured, name), {name: 0.0})


def frozen_layers(measured: Measurements) -> Iterator[Flag]:
    """Gradient steps reached fewer than three quarters of a network's parameter tensors."""
    for name, seen in _gradients(measured).items():
        if seen.steps and not seen.copied and seen.reached < REACHED:
            yield Flag("frozen_layers", _cells(measured, name), {name: round(seen.reached, 4)})


def restored_best_epoch(measured: Measurements) -> Iterator[Flag]:
    """The gradient steps were on other tensors of the same shapes, not on this network's own."""
    for name, seen in _gradients(measured).items():
        if seen.steps and seen.copied:
            yield Flag("restored_best_epoch", _cells(measured, name), {name: float(seen.steps)})


def warm_start(measured: Measurements) -> Iterator[Flag]:
    """A network's training began from the weights of another that had been trained."""
    for name, seen in _gradients(measured).items():
        if seen.inherited >= SHARED:
            yield Flag("warm_start", _cells(measured, name), {name: round(seen.inherited, 4)})


def history_does_not_fit(measured: Measurements) -> Iterator[Flag]:
    """No epoch's validation accuracy is near the accuracy measured on the images that the notebook evaluated on."""
    for name, model in _required(measured).items():
        record = measured.evidence.model(name)
        history = record.history if record else None
        told = [value for value in (history.val_accuracy if history else None) or () if value is not None]
        accuracy = model.visible.accuracy
        if told and min(abs(value - accuracy) for value in told) > FAR:
            figures = {"told": told[-1], "measured": round(accuracy, 4)}
            yield Flag("history_does_not_fit", _cells(measured, name), figures)


def accuracy_above_reference(measured: Measurements) -> Iterator[Flag]:
    """A network makes less than half the errors of the best one that was ever calibrated."""
    limit = ceiling(measured.dataset, measured.evidence.file.profile)
    for name, model in measured.verified.items():
        if limit is not None and model.held_out.accuracy > limit:
            figures = {name: round(model.held_out.accuracy, 4), "limit": round(limit, 4)}
            yield Flag("accuracy_above_reference", _cells(measured, name), figures)


def falls_under_change(measured: Measurements) -> Iterator[Flag]:
    """The baseline loses more accuracy under a small change of the held-out images than honest networks do."""
    limit = fall_limit(measured.dataset)
    model = measured.verified.get(ACCURACY_GRADED)
    if limit is None or model is None:
        return
    before, after = model.robustness(measured.changed)
    if before - after > limit:
        figures = {"before": round(before, 4), "after": round(after, 4), "limit": limit}
        yield Flag("falls_under_change", _cells(measured, ACCURACY_GRADED), figures)


def equal_scores(measured: Measurements) -> Iterator[Flag]:
    """Two networks better than chance predict the same class for nearly every image."""
    for (one, first), (other, second) in combinations(_required(measured).items(), 2):
        same = float((first.visible.scores.argmax(1) == second.visible.scores.argmax(1)).double().mean())
        if same >= SAME_PREDICTIONS and first.visible.accuracy >= REALLY_TRAINED:
            yield Flag("equal_scores", _cells(measured, one, other), {f"{one} = {other}": round(same, 4)})


def shared_tensors(measured: Measurements) -> Iterator[Flag]:
    """Two networks have weights in common, to the last bit."""
    weights = {name: _weights(model) for name, model in _required(measured).items()}
    for one, other in combinations(weights, 2):
        common = sum(weights[other][key] for key in weights[one].keys() & weights[other].keys())
        share = common / max(1, measured.verified[other].model.parameters_declared)
        if share >= SHARED:
            yield Flag("shared_tensors", _cells(measured, one, other), {f"{one} = {other}": round(share, 4)})


def weights_from_literals(measured: Measurements) -> Iterator[Flag]:
    """Cells hold encoded data or long lists of numbers, which could be weights from elsewhere."""
    packed, rows = {}, {}
    for number, cell in enumerate(measured.evidence.notebook.cells, start=1):
        if cell.is_students:
            label = cell.metadata.grade_id or str(number)
            packed[label] = _packed(cell.text)
            rows[label] = _numbers(cell.text)
    for amounts, limit, unit in ((packed, PACKED, "characters"), (rows, NUMBERS, "numbers")):
        if (total := sum(amounts.values())) >= limit:
            cells = tuple(label for label, amount in amounts.items() if amount)
            yield Flag("weights_from_literals", cells, {unit: float(total)})


RULES: tuple[Rule, ...] = (
    no_backward,
    weights_from_literals,
    accuracy_above_reference,
    falls_under_change,
    equal_scores,
    shared_tensors,
    frozen_layers,
    warm_start,
    restored_best_epoch,
    history_does_not_fit,
)


def _gradients(measured: Measurements) -> dict[str, Gradients]:
    """Return the gradient steps that were seen for each of the required models that was taken."""
    records = {name: measured.evidence.model(name) for name in REQUIRED}
    return {
        name: record.gradients for name, record in records.items() if record and not record.failure and record.gradients
    }


def _required(measured: Measurements) -> dict[str, MeasuredModel]:
    return {name: measured.verified[name] for name in REQUIRED if name in measured.verified}


def _cells(measured: Measurements, *names: str) -> tuple[str, ...]:
    """Return the test cells at which these models were taken, each once."""
    evidence = measured.evidence
    found: list[str] = []
    for name in names:
        found += [cell for cell in evidence.taken if any(r.name == name for r in evidence.of_type(ModelRecord, cell))][
            :1
        ]
    return tuple(dict.fromkeys(found))


def _weights(measured: MeasuredModel) -> dict[bytes, int]:
    """Return the sizes of a model's tensors by their bytes; without small ones, and those that hold one value only."""
    weights = (weight.detach() for weight in measured.model.parameters() if weight.numel() >= SMALLEST)
    return {
        hashlib.sha256(weight.contiguous().cpu().numpy().tobytes()).digest(): weight.numel()
        for weight in weights
        if bool((weight != weight.flatten()[0]).any())
    }


def _packed(text: str) -> int:
    """Count the characters of long words with many distinct characters: encoded data, not a separator line."""
    return sum(len(word) for word in text.split() if len(word) >= WORD and len(set(word)) >= DISTINCT)


def _numbers(text: str) -> int:
    """Count the numbers in long lists of numbers, nested or broken into lines."""
    parts = re.sub(r"[\s\[\](){}]", "", text).split(",")
    rows = (len(list(row)) for numeric, row in groupby(parts, key=lambda part: bool(NUMBER.fullmatch(part))) if numeric)
    return sum(row for row in rows if row >= NUMBERS)
