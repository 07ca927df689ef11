"""Formats this lesson's findings for pages: curves, class names, meanings of flags, tables for marking."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from autograder.engine.pages import Panel, panel, shape, whole
from autograder.engine.report import CellReport, Report
from autograder.engine.text import count, number, say
from autograder.lesson.findings import CNNFindings, ModelFinding
from autograder.lesson.observations import History

ONE_SUBMISSION, MEDIAN = 0, 1  # styles of curves
BARS = "▁▂▃▄▅▆▇█"
SHOWN = 12  # epochs of a curve: three curves of more do not fit the width
ANSWER_MODEL = {"task4_exp5_answer": "custom"}  # the model whose layers an answer is about


def page(findings: CNNFindings) -> dict[str, Any]:
    """Return the variables of a feedback page: the curves of all networks, each network's style, class names."""
    styles = {model.name: style for style, model in enumerate(findings.models)}
    titles = {
        "train_loss": say(pl="strata, zbiór uczący", en="loss, training set"),
        "val_loss": say(pl="strata, zbiór walidacyjny", en="loss, validation set"),
        "val_accuracy": say(pl="dokładność, zbiór walidacyjny", en="accuracy, validation set"),
    }
    panels = []
    for field, title in titles.items():
        curves = {model.name: getattr(model.history, field) or () for model in findings.models if model.history}
        panels.append(panel(title, curves, styles))
    return {"panels": [panel for panel in panels if panel], "styles": styles, "class_name": class_name}


def class_page(of_all: Sequence[CNNFindings]) -> dict[str, Any]:
    """Return the variables of a class page: each network's validation curves and their median."""
    panels: list[Panel] = []
    networks = [model for findings in of_all for model in findings.models if model.history]
    for name in dict.fromkeys(model.name for model in networks):
        curves = [model.history.val_accuracy or () for model in networks if model.name == name and model.history]
        named = {str(index): curve for index, curve in enumerate(curves)}
        styles = dict.fromkeys(named, ONE_SUBMISSION) | {"median": MEDIAN}
        works = say(pl=count(len(curves), "praca", "prace", "prac"), en=f"{len(curves)} submissions")
        drawn = panel(f"{name}, {works}", named | {"median": median_curve(curves)}, styles, markers=False)
        panels += [drawn] if drawn else []
    return {"panels": panels}


def median_curve(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return the median over the submissions that have a value, epoch by epoch, while at least half of them go on."""
    epochs = sorted(map(len, curves), reverse=True)[(len(curves) - 1) // 2] if curves else 0
    found: list[float | None] = []
    for epoch in range(epochs):
        values = [value for curve in curves if epoch < len(curve) and (value := curve[epoch]) is not None]
        found.append(median(values) if values else None)
    return found


def class_name(dataset: str | None, label: int) -> str:
    """Name a class of the data set; its number where the data set is not known."""
    names = {
        "FashionMNIST": say(
            pl="T-shirt,spodnie,sweter,sukienka,płaszcz,sandał,koszula,but sportowy,torba,botek",
            en="T-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot",
        ),
        "CIFAR10": say(
            pl="samolot,samochód,ptak,kot,jeleń,pies,żaba,koń,statek,ciężarówka",
            en="airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        ),
    }
    return names[dataset].split(",")[label] if dataset in names else str(label)


def measured_beside(cell: CellReport, report: Report, findings: CNNFindings) -> list[str]:
    """Return what helps a person to mark a written answer, as Markdown: what was measured of each model.

    It stands in the autograded notebook alone, which only instructors see: never in the release, never in feedback.
    """
    if not findings.models:
        return [
            say(
                pl="W notebooku nie ma sieci, którą dałoby się zmierzyć.", en="The notebook left no network to measure."
            )
        ]
    head = say(
        pl="sieć|dokł. zmierzona|podana|parametry|podane|strata ucz.|strata wal.|dokł. wal.",
        en="network|accuracy measured|claimed|parameters|claimed|train. loss|val. loss|val. accuracy",
    ).split("|")
    # Formgrader puts no space between table cells, so an em space does.
    lines = [
        f"| {'&emsp; | '.join(cells)}&emsp; |" for cells in (head, *(_row(model, report) for model in findings.models))
    ]
    table = "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])
    return [table, *(_layers(model) for model in findings.models if model.name == ANSWER_MODEL.get(cell.id))]


def _row(model: ModelFinding, report: Report) -> list[str]:
    """Return a table row: a model's measurements next to the notebook's own figures."""
    measured, claimed, history = report.models.get(model.name), model.results, model.history or History()
    accuracies = [each.accuracy if each else None for each in (measured, claimed)]
    sizes = [each.parameters if each else None for each in (measured, claimed)]
    return [
        f"`{model.name}`",
        *("–" if value is None else number(value, 3) for value in accuracies),
        *("–" if value is None else whole(round(value)) for value in sizes),
        *map(_curve, (history.train_loss, history.val_loss, history.val_accuracy)),
    ]


def _curve(values: Sequence[float | None] | None) -> str:
    """Draw a curve in a line of text, its first and last value on either side."""
    finite = [value for value in values or () if value is not None]
    if not finite:
        return "–"
    low, high = min(finite), max(finite)
    every = -(-len(finite) // SHOWN)
    shown = finite[::-1][::every][::-1]  # the last one always
    bars = [BARS[round((len(BARS) - 1) * (value - low) / (high - low)) if high > low else 0] for value in shown]
    return f"{number(finite[0], 2)} {''.join(bars)} {number(finite[-1], 2)}"


def _layers(model: ModelFinding) -> str:
    """Return a model's layers with the map each gives, (C, H, W): what the output-size formula is about."""
    shown = " → ".join(f"{layer.name} ({shape(layer.output[1:])})" for layer in model.layers)
    return say(pl=f"Warstwy `{model.name}`: {shown}", en=f"Layers of `{model.name}`: {shown}") if shown else ""


def flag_meaning(code: str) -> str:
    """Return what a flag means and its honest explanation; the code itself if it is unknown."""
    return _MEANINGS[code]() if code in _MEANINGS else code


_MEANINGS: Mapping[str, Callable[[], str]] = {
    "no_backward": lambda: say(
        pl="Nie zauważono ani jednego kroku gradientowego tej sieci: wagi mogły powstać poza notebookiem albo bez uczenia.",
        en="Not one gradient step of this network was seen: its weights may come from elsewhere, or from no training.",
    ),
    "frozen_layers": lambda: say(
        pl="Uczenie objęło tylko część parametrów (ułamek tensorów). Tak jest też przy uczeniu z zamrożonymi warstwami.",
        en="Training reached a part of the parameters only (the fraction of tensors), as it does where layers are frozen.",
    ),
    "warm_start": lambda: say(
        pl="Uczenie tej sieci zaczęto od wag innej, już uczonej (ułamek wag), a nie od losowych. Porównanie z tamtą "
        "siecią mniej wtedy mówi.",
        en="Training of this network began from the weights of another trained one (the fraction of weights), not from "
        "random ones; a comparison with that one then says less.",
    ),
    "restored_best_epoch": lambda: say(
        pl="Oceniana sieć to kopia tej, którą uczono (liczba kroków), np. z najlepszej epoki. Zwykle to dobra praktyka.",
        en="The network is a copy of the one that was trained (its steps), such as of the best epoch: mostly good practice.",
    ),
    "weights_from_literals": lambda: say(
        pl="W kodzie są zapisane duże dane: długie napisy bez odstępów albo ciągi liczb. Sprawdź, czy to nie gotowe wagi.",
        en="The code holds large data: long words without a space, or long rows of numbers. See whether these are weights.",
    ),
    "history_does_not_fit": lambda: say(
        pl="Żadna wartość val_accuracy nie jest bliska zmierzonej dokładności: historia może pochodzić z innego uczenia.",
        en="No value of val_accuracy is near the accuracy measured: the history may be of another training.",
    ),
    "not_examined": lambda: say(
        pl="Jednego z tych sprawdzeń nie udało się wykonać.",
        en="One of these examinations could not be carried out.",
    ),
    "accuracy_above_reference": lambda: say(
        pl="Sieć popełnia mniej niż połowę błędów najlepszej ze zmierzonych sieci wzorcowych. Zbiór testowy jest publiczny: "
        "mogła być na nim uczona.",
        en="The network makes less than half the errors of the best one measured for the thresholds. The test set is public: "
        "it may have been trained on it.",
    ),
    "falls_under_change": lambda: say(
        pl="Po drobnej zmianie obrazów testowych (przesunięcie, kontrast, szum) dokładność spada bardziej niż w sieciach "
        "uczonych uczciwie: sieć mogła zapamiętać te obrazy.",
        en="Under a small change of the test images (shift, contrast, noise) accuracy falls further than in networks "
        "trained honestly: this one may know the images by heart.",
    ),
    "equal_scores": lambda: say(
        pl="Dwie sieci dają tę samą odpowiedź dla prawie każdego obrazu (ułamek): jedna może być przeróbką drugiej.",
        en="Two networks give the same answer for nearly every image (the fraction): one may be the other in disguise.",
    ),
    "shared_tensors": lambda: say(
        pl="Dwie sieci mają wspólne wagi (ułamek parametrów drugiej). Tak jest też, gdy uczenie zaczęto od poprzedniej sieci "
        "z zamrożonymi warstwami.",
        en="Two networks have weights in common (the fraction of the second's parameters), as where training began from the "
        "network before with layers frozen.",
    ),
}
