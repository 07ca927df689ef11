"""Checks of how a model was trained and reported, the same for the baseline and for every experiment."""

import re

from autograder.evidence.reader import Evidence
from autograder.evidence.records import Epochs, ModelRecord
from autograder.language import number, say
from autograder.measuring.measure import REALLY_TRAINED, Measurements
from autograder.measuring.measured import Measured
from autograder.measuring.verdicts import settled

CURVES = ("train_loss", "val_loss", "val_accuracy")
EPOCHS = 2
RESULTS_TOLERANCE = 0.02  # a notebook may average over batches, or evaluate in bf16
SEPARATORS = " ,._'\u00a0\u202f"  # between thousands


def complete(record: ModelRecord) -> None:
    """Fail unless the history has its three curves, alike in length, finite, of two epochs at least."""
    history = record.history
    missing_history = say(
        pl=f'Brakuje histories["{record.name}"]: zapisz w nim słownik z listami train_loss, val_loss i val_accuracy.',
        en=f'histories["{record.name}"] is missing: store a dict with the lists train_loss, val_loss, val_accuracy.',
    )
    settled(history is not None, missing_history)
    assert history is not None
    curves: dict[str, Epochs | None] = {name: getattr(history, name) for name in CURVES}
    missing = [name for name, values in curves.items() if not values]
    settled(
        not missing,
        say(
            pl=f'W histories["{record.name}"] brakuje: {", ".join(missing)}.',
            en=f'histories["{record.name}"] lacks {", ".join(missing)}.',
        ),
    )
    lengths = {name: len(values or ()) for name, values in curves.items()}
    said = ", ".join(f"{name}: {length}" for name, length in lengths.items())
    settled(
        len(set(lengths.values())) == 1 and min(lengths.values()) >= EPOCHS,
        say(
            pl=f"Każda lista powinna mieć po jednej wartości na epokę, dla co najmniej {EPOCHS} epok; teraz długości to {said}.",
            en=f"Each list should have a value an epoch, {EPOCHS} epochs at least; their lengths are {said}.",
        ),
    )
    broken = [name for name, values in curves.items() if any(value is None for value in values or ())]
    assert not broken, say(
        pl=f"W {', '.join(broken)} są wartości, które nie są skończonymi liczbami (NaN?): zmniejsz szybkość uczenia.",
        en=f"{', '.join(broken)} hold values that are not finite numbers (NaN?): lower the learning rate.",
    )
    accuracies = [value for value in history.val_accuracy or () if value is not None]
    settled(
        all(0 <= value <= 1 for value in accuracies),
        say(
            pl=f"val_accuracy ma wartość {max(accuracies):g}: podaj ułamek od 0 do 1, nie procenty.",
            en=f"val_accuracy holds {max(accuracies):g}: give a fraction from 0 to 1, not percent.",
        ),
    )


def fell(record: ModelRecord) -> None:
    """Fail unless the training loss ended lower than it began."""
    complete(record)
    losses = [value for value in (record.history.train_loss if record.history else None) or () if value is not None]
    assert losses[-1] < losses[0], say(
        pl=f"train_loss nie zmalała: od {number(losses[0])} do {number(losses[-1])}. Sprawdź optimizer.zero_grad(), "
        "loss.backward(), optimizer.step() i szybkość uczenia.",
        en=f"train_loss did not fall: from {number(losses[0])} to {number(losses[-1])}. Check optimizer.zero_grad(), "
        "loss.backward(), optimizer.step() and the learning rate.",
    )


def curves_shown(record: ModelRecord, evidence: Evidence, *cells: str) -> None:
    """Fail unless an image came out of one of the solution cells, or of a cell of the student's own after them."""
    complete(record)
    runs = [evidence.run(cell) for cell in cells]
    first = min((run.index for run in runs if run), default=0)
    shown = any(run.images for run in evidence.file.runs if run.index >= first)
    assert shown, say(
        pl="Nie znaleziono żadnego wykresu: narysuj krzywe uczenia (plt.plot, plt.show()) w komórce tego zadania.",
        en="No plot was found: draw the learning curves (plt.plot, plt.show()) in the task's cell.",
    )


def parameters_printed(record: ModelRecord, measured: Measurements, evidence: Evidence, *cells: str) -> None:
    """Fail unless the count the model really has appears among what the notebook printed."""
    count = measured.lifted(record.name, *cells).parameters_declared
    assert appears(count, evidence.notebook.printed), say(
        pl=f"Wśród wypisanych tekstów nie ma liczby parametrów sieci {record.name} ({count}): użyj "
        "print(summary(model, ...)) z torchinfo po utworzeniu sieci.",
        en=f"The printed text does not hold the parameter count of {record.name} ({count}): use torchinfo's "
        "print(summary(model, ...)) after creating the network.",
    )


def appears(count: int, text: str) -> bool:
    """Whether a whole number stands in the text by itself, its thousands separated or not: 1234567, 1,234,567."""
    spelt = f"[{SEPARATORS}]?".join(f"{count:,}".split(","))
    return re.search(rf"(?<!\d)(?<!\d[,._']){spelt}(?!\d)", text) is not None


def really_trained(measured: Measured, name: str) -> None:
    """Fail unless the model does clearly better than chance on held-out images."""
    reached = measured.held_out.accuracy
    assert reached >= REALLY_TRAINED, say(
        pl=f"Na obrazach, których sieć {name} nie widziała, dokładność wynosi {number(reached)}; wytrenowana sieć "
        f"osiąga co najmniej {number(REALLY_TRAINED, 2)}.",
        en=f"On images {name} never saw its accuracy is {number(reached)}; a trained network reaches at least "
        f"{number(REALLY_TRAINED, 2)}.",
    )


def agree(record: ModelRecord, measured: Measured) -> None:
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
        assert abs(theirs - ours) <= RESULTS_TOLERANCE, say(
            pl=f'results["{record.name}"]["{name}"] to {number(theirs)}, a pomiar na tych samych obrazach dał '
            "inny wynik. Licz na całym testset, w trybie model.eval(), i dziel przez len(testset).",
            en=f'results["{record.name}"]["{name}"] is {number(theirs)}; measured on the same images, it is different. '
            "Evaluate on all of testset, in model.eval() mode, and divide by len(testset).",
        )
    count = measured.model.parameters_declared
    given = "–" if results.parameters is None else f"{results.parameters:.0f}"
    settled(
        results.parameters == count,
        say(
            pl=f'results["{record.name}"]["parameters"] to {given}, a liczba parametrów sieci to {count} '
            "(suma numel() po model.parameters()).",
            en=f'results["{record.name}"]["parameters"] is {given}; the model has {count} '
            "(the sum of numel() over model.parameters()).",
        ),
    )
