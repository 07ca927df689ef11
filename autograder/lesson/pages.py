"""What this lesson's templates show besides the findings themselves: learning curves laid out, names of classes."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from autograder.engine.pages import Panel, panel
from autograder.engine.text import count, say
from autograder.lesson.findings import CNNFindings
from autograder.lesson.records import History

CROWD, MEDIAN = 0, 1  # styles of curves


def page(findings: CNNFindings) -> dict[str, Any]:
    """Return what a feedback page needs: the curves of all networks, each network's style, names of classes."""
    styles = {model.name: style for style, model in enumerate(findings.models)}
    return {"panels": _panels(_histories(findings), styles), "styles": styles, "class_name": class_name}


def class_page(of_all: Sequence[CNNFindings]) -> dict[str, Any]:
    """Return what a class page needs: for each network everybody's curve."""
    return {"panels": _class_panels(of_all)}


def _histories(findings: CNNFindings) -> dict[str, History]:
    return {model.name: model.history for model in findings.models if model.history}


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


def _panels(histories: Mapping[str, History], styles: Mapping[str, int]) -> list[Panel]:
    """Lay out the three learning curves of all models together."""
    titles = {
        "train_loss": say(pl="strata, zbiór uczący", en="loss, training set"),
        "val_loss": say(pl="strata, zbiór walidacyjny", en="loss, validation set"),
        "val_accuracy": say(pl="dokładność, zbiór walidacyjny", en="accuracy, validation set"),
    }
    found = []
    for field, title in titles.items():
        curves = {name: getattr(history, field) or () for name, history in histories.items()}
        found.append(panel(title, curves, styles))
    return [panel for panel in found if panel is not None]


def _class_panels(found_in: Sequence[CNNFindings]) -> list[Panel]:
    """Lay out, for each model, everybody's validation accuracy and the median."""
    found = []
    all_histories = [_histories(findings) for findings in found_in]
    for name in dict.fromkeys(name for histories in all_histories for name in histories):
        curves = [histories[name].val_accuracy or () for histories in all_histories if name in histories]
        named = {str(number): curve for number, curve in enumerate(curves)}
        styles = dict.fromkeys(named, CROWD) | {"median": MEDIAN}
        drawn = panel(_title(name, len(curves)), named | {"median": median_curve(curves)}, styles, markers=False)
        found += [drawn] if drawn else []
    return found


def _title(name: str, submissions: int) -> str:
    return name + say(pl=f", {count(submissions, 'praca', 'prace', 'prac')}", en=f", {submissions} submissions")


def median_curve(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return the median over the submissions that have a value, epoch by epoch, while at least half of them go on."""
    epochs = sorted(map(len, curves), reverse=True)[(len(curves) - 1) // 2] if curves else 0
    found: list[float | None] = []
    for epoch in range(epochs):
        values = [value for curve in curves if epoch < len(curve) and (value := curve[epoch]) is not None]
        found.append(median(values) if values else None)
    return found
