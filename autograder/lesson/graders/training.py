"""Checks of how a model was trained and reported, the same for the baseline and for every experiment."""

import re

from autograder.engine.errors import EvidenceError
from autograder.engine.outcomes import AbsentError, UndecidedError, settled
from autograder.engine.text import number, say
from autograder.lesson.measure import REALLY_TRAINED, REQUIRED, MeasuredModel, Measurements
from autograder.lesson.observations import Epochs, ModelRecord
from autograder.lesson.thresholds import levels

CURVES = ("train_loss", "val_loss", "val_accuracy")
EPOCHS = 2
DIGITS = 4  # decimals; losses rounded to them or fewer may hide that they moved
STEPS = 5  # backward passes: two epochs of large batches on `quick` take six
RESULTS_TOLERANCE = 0.02  # a notebook may average over batches, or evaluate in bf16
CONTRADICTION = 0.10  # beyond what averaging over batches, or over other images, can add on few images
STILL = 5e-5  # relative: batches drawn anew move a mean loss by less, networks that come to learn by 7e-4 and more
SEPARATORS = " ,._'\u00a0\u202f"  # between thousands


def complete(record: ModelRecord) -> None:
    """Fail unless the history has three finite curves of equal length, with at least two epochs."""
    missing_history = say(
        pl=f'Brakuje histories["{record.name}"]: zapisz w nim słownik z listami train_loss, val_loss i val_accuracy.',
        en=f'histories["{record.name}"] is missing: store a dict with the lists train_loss, val_loss, val_accuracy.',
    )
    settled(record.history is not None, missing_history)
    curves: dict[str, Epochs] = {name: getattr(record.history, name) or () for name in CURVES}
    missing = ", ".join(name for name, values in curves.items() if not values)
    missing_curves = say(
        pl=f'W histories["{record.name}"] brakuje: {missing}.', en=f'histories["{record.name}"] lacks {missing}.'
    )
    settled(not missing, missing_curves)
    lengths = {len(values) for values in curves.values()}
    listed = ", ".join(f"{name}: {len(values)}" for name, values in curves.items())
    wrong_lengths = say(
        pl=f"Każda lista powinna mieć po jednej wartości na epokę, dla co najmniej {EPOCHS} epok; teraz długości to {listed}.",
        en=f"Each list should have a value an epoch, {EPOCHS} epochs at least; their lengths are {listed}.",
    )
    settled(len(lengths) == 1 and min(lengths) >= EPOCHS, wrong_lengths)
    broken = [name for name, values in curves.items() if None in values]
    assert not broken, say(
        pl=f"W {', '.join(broken)} są wartości, które nie są skończonymi liczbami (NaN?): zmniejsz szybkość uczenia.",
        en=f"{', '.join(broken)} hold values that are not finite numbers (NaN?): lower the learning rate.",
    )
    accuracies = [value for value in curves["val_accuracy"] if value is not None]
    percent = say(
        pl=f"val_accuracy ma wartość {max(accuracies):g}: podaj ułamek od 0 do 1, nie procenty.",
        en=f"val_accuracy holds {max(accuracies):g}: give a fraction from 0 to 1, not percent.",
    )
    settled(all(0 <= value <= 1 for value in accuracies), percent)


def parameters_printed(measured: Measurements, name: str, *cells: str) -> None:
    """Fail unless the model's real parameter count appears in the notebook's printed text."""
    count = measured.parameters(name, *cells)
    assert appears(count, measured.evidence.notebook.printed), say(
        pl=f"Wśród wypisanych tekstów nie ma liczby parametrów sieci {name} ({count}): użyj "
        "print(summary(model, ...)) z torchinfo po utworzeniu sieci.",
        en=f"The printed text does not hold the parameter count of {name} ({count}): use torchinfo's "
        "print(summary(model, ...)) after creating the network.",
    )


def appears(count: int, text: str) -> bool:
    """Whether a whole number stands in the text by itself, its thousands separated or not: 1234567, 1,234,567."""
    spelt = f"[{SEPARATORS}]?".join(f"{count:,}".split(","))
    return re.search(rf"(?<!\d)(?<!\d[,._']){spelt}(?!\d)", text) is not None


def really_trained(measured: Measurements, name: str, *cells: str) -> None:
    """Fail unless the model beats chance on held-out images, took gradient steps, and is no copy of another model."""
    reached = measured.model(name, *cells).held_out.accuracy
    too_low = say(
        pl=f"Na obrazach, których sieć {name} nie widziała, dokładność wynosi {number(reached)}; wytrenowana sieć "
        f"osiąga co najmniej {number(REALLY_TRAINED, 2)}.",
        en=f"On images {name} never saw its accuracy is {number(reached)}; a trained network reaches at least "
        f"{number(REALLY_TRAINED, 2)}.",
    )
    record = measured.record(name, *cells)
    if reached < REALLY_TRAINED:
        settled(not is_untrainable(measured, record, reached), too_low)
    assert reached >= REALLY_TRAINED, too_low
    steps_taken(record)
    before = REQUIRED[: REQUIRED.index(name)] if name in REQUIRED else ()
    twin = next((other for other in before if _is_twin(measured, name, other)), None)
    same = say(
        pl=f"Sieci {twin} i {name} dają na wszystkich obrazach te same wyniki, więc {name} nie jest osobno "
        'wytrenowaną siecią: utwórz ją i wytrenuj, zanim zapiszesz ją w models["' + name + '"].',
        en=f"The networks {twin} and {name} give the same scores on all images, so {name} was not trained by itself: "
        'create it and train it before you store it in models["' + name + '"].',
    )
    settled(twin is None, same)


def is_untrainable(measured: Measurements, record: ModelRecord, reached: float) -> bool:
    """Whether more data would not train a model either that reached this accuracy, a fraction below `REALLY_TRAINED`."""
    found = levels(measured.dataset, measured.evidence.file.profile)
    seen = record.gradients
    never = seen is not None and not seen.steps and seen.unclaimed < STEPS
    return never or is_still(record) or (found is not None and reached < found.untrained)


def is_still(record: ModelRecord) -> bool:
    """Whether the history's training loss is the same in all epochs, which are two at least."""
    told = (record.history.train_loss if record.history else None) or ()
    losses = [value for value in told if value is not None]
    if len(losses) < EPOCHS or len(losses) < len(told) or any(round(value, DIGITS) == value for value in losses):
        return False
    return max(losses) - min(losses) <= STILL * abs(max(losses))


def _is_twin(measured: Measurements, name: str, other: str) -> bool:
    """Whether another model gives the same scores, to rounding, on the images that the notebook saw."""
    try:
        return measured.model(other).agrees(measured.model(name).visible.scores)
    except (AbsentError, UndecidedError, EvidenceError):
        return False


def steps_taken(record: ModelRecord) -> None:
    """Fail unless gradient steps were seen for the model, or for one of the same shape that it is a copy of."""
    seen, name = record.gradients, record.name
    if seen is None or seen.steps < STEPS <= seen.unclaimed:
        raise UndecidedError(
            say(
                pl=f"Nie udało się ustalić, czy sieć {name} była trenowana w notebooku; oceni to osoba prowadząca.",
                en=f"Whether {name} was trained in the notebook could not be made out; a person will judge it.",
            ),
            more_data=seen is not None and seen.steps > 0,
        )
    never = say(
        pl=f"Nie widać, żeby w notebooku trenowano sieć {name} metodą gradientową: nie obliczono gradientu straty względem "
        "jej parametrów. Wytrenuj ją w tym notebooku (loss.backward() i optimizer.step() w pętli po danych).",
        en=f"No training of {name} by gradients was seen in the notebook: no gradient of a loss with respect to its "
        "parameters was computed. Train it in this notebook (loss.backward() and optimizer.step() in a loop over data).",
    )
    settled(seen.steps > 0, never)
    assert seen.steps >= STEPS, say(
        pl=f"Liczba kroków gradientowych sieci {name} to {seen.steps}: to za mało na dwie epoki. Trenuj ją dłużej.",
        en=f"The number of gradient steps of {name} is {seen.steps}: too few for two epochs. Train it longer.",
    )


def agree(record: ModelRecord, measured: MeasuredModel) -> None:
    """Fail unless `results` say what the judge measured on the same images."""
    results = record.results
    missing_results = say(
        pl=f'Brakuje results["{record.name}"]: zapisz w nim accuracy, f1 i parameters.',
        en=f'results["{record.name}"] is missing: store accuracy, f1 and parameters in it.',
    )
    settled(results is not None, missing_results)
    assert results is not None
    measurements = {"accuracy": measured.visible.accuracy, "f1": measured.visible.f1}
    for name, ours in measurements.items():
        theirs = getattr(results, name)
        lacking = say(
            pl=f'W results["{record.name}"] brakuje liczby {name}.',
            en=f'results["{record.name}"] lacks the number {name}.',
        )
        settled(theirs is not None, lacking)
        percent = say(
            pl=f'results["{record.name}"]["{name}"] to {number(theirs)}: podaj ułamek od 0 do 1, nie procenty.',
            en=f'results["{record.name}"]["{name}"] is {number(theirs)}: give a fraction from 0 to 1, not percent.',
        )
        settled(theirs <= 1, percent)
        untrue = say(
            pl=f'results["{record.name}"]["{name}"] to {number(theirs)}, a pomiar na tych samych obrazach dał '
            "inny wynik. Licz na całym testset, w trybie model.eval(), i dziel przez len(testset).",
            en=f'results["{record.name}"]["{name}"] is {number(theirs)}; measured on the same images, it is different. '
            "Evaluate on all of testset, in model.eval() mode, and divide by len(testset).",
        )
        settled(abs(theirs - ours) <= CONTRADICTION, untrue)
        assert abs(theirs - ours) <= RESULTS_TOLERANCE, untrue
    count = measured.model.parameters_declared
    given = "–" if results.parameters is None else f"{results.parameters:.0f}"
    wrong_count = say(
        pl=f'results["{record.name}"]["parameters"] to {given}, a liczba parametrów sieci to {count} '
        "(suma numel() po model.parameters()).",
        en=f'results["{record.name}"]["parameters"] is {given}; the model has {count} '
        "(the sum of numel() over model.parameters()).",
    )
    settled(results.parameters == count, wrong_count)
