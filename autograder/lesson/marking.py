"""What helps a person to mark the written answers of this lesson: a scheme, and what the grader measured.

Both stand in the autograded notebook alone, which only instructors see: never in the release, never in feedback.
"""

from collections.abc import Iterator

from autograder.engine.pages import shape, whole
from autograder.engine.report import CellReport, ModelReport, Report
from autograder.engine.text import number, say
from autograder.lesson.findings import CNNFindings, ModelFinding
from autograder.lesson.records import History

BARS = "▁▂▃▄▅▆▇█"
SHOWN = 12  # epochs of a curve: three curves of more do not fit the width
ABOUT = {"task4_exp5_answer": "custom"}  # the model whose layers an answer is about


def beside(cell: CellReport, report: Report, findings: CNNFindings) -> list[str]:
    """Return what stands before a written answer, as Markdown: its marking scheme and a table of what was measured."""
    parts = [scheme(cell.id), _table(report, findings)]
    return parts + [_layers(model) for model in findings.models if model.name == ABOUT.get(cell.id)]


def scheme(cell: str) -> str:
    """Return a written answer's marking scheme as Markdown; nothing where none is written."""
    if cell == "task4_comparison":
        return say(
            pl="""- **0,5** metryki wszystkich sieci zestawione w tabeli lub na wykresie, zgodne z pomiarem poniżej (różnica
  kilku setnych wynika z innych obrazów, to nie błąd)
- **0,5** krzywe uczenia omówione: gdzie widać przeuczenie, a gdzie niedouczenie, i po czym to poznać
- **0,5** wnioski z liczb: co pomogło, co zaszkodziło, ile to kosztowało parametrów; bez przypisywania znaczenia różnicom
  mniejszym niż rozrzut między uruchomieniami

Jeśli którejś sieci brakuje, odejmij tylko za to, czego bez niej nie da się opisać; punkty za samą sieć przyznają testy.""",
            en="""- **0.5** the metrics of all networks in a table or plot, in line with what was measured below (a few hundredths
  apart are other images, not a mistake)
- **0.5** the learning curves discussed: where there is overfitting, where underfitting, and how one can tell
- **0.5** conclusions from the numbers: what helped, what did harm, what it cost in parameters; no meaning read into
  differences smaller than those between two runs

A missing network costs only what cannot be said without it: its own points are the tests' matter.""",
        )
    if cell == "task4_exp5_answer":
        return say(
            pl="""- **0,5** powód wyboru: czego oczekiwano po zmianie parametrów (pole recepcyjne, rozmiar mapy ze
  wzoru, liczba obliczeń); oczekiwanie nie musi się sprawdzić
- **0,5** skutek w liczbach względem sieci, na której bazuje `custom`: rozmiar mapy przed GAP, parametry (`stride`,
  `padding` i `dilation` ich nie zmieniają), czas, dokładność; zgodnie z pomiarem poniżej""",
            en="""- **0.5** why these: what the student expected of the parameters changed (receptive field, map size by the
  formula, computations); the expectation need not come true
- **0.5** the effect in numbers against the network that `custom` builds on: map size before GAP, parameters (`stride`,
  `padding` and `dilation` do not change them), time, accuracy; in line with what was measured below""",
        )
    return ""


def _table(report: Report, findings: CNNFindings) -> str:
    """Return what was measured of each model, beside what the notebook says of it."""
    if not findings.models:
        return say(
            pl="W notebooku nie ma sieci, którą dałoby się zmierzyć.", en="The notebook left no network to measure."
        )
    head = say(
        pl="sieć|dokł. zmierzona|podana|parametry|podane|strata ucz.|strata wal.|dokł. wal.",
        en="network|accuracy measured|claimed|parameters|claimed|train. loss|val. loss|val. accuracy",
    ).split("|")
    rows = (_row(model, report.models.get(model.name)) for model in findings.models)
    return "\n".join([_line(head), "|" + " --- |" * len(head), *rows])


def _row(model: ModelFinding, measured: ModelReport | None) -> str:
    history, claimed = model.history or History(), model.results
    cells = [
        f"`{model.name}`",
        _fraction(measured.accuracy if measured else None),
        _fraction(claimed.accuracy if claimed else None),
        _whole(measured.parameters if measured else None),
        _whole(claimed.parameters if claimed else None),
        *map(_curve, (history.train_loss, history.val_loss, history.val_accuracy)),
    ]
    return _line(cells)


def _line(cells: list[str]) -> str:
    """Return a table's line; formgrader leaves no room between cells, so a wide space does."""
    return f"| {'&emsp; | '.join(cells)}&emsp; |"


def _layers(model: ModelFinding) -> str:
    """Return a model's layers with the map each gives, (C, H, W): what the output-size formula is about."""
    shown = " → ".join(f"{layer.name} ({shape(layer.output[1:])})" for layer in model.layers)
    return say(pl=f"Warstwy `{model.name}`: {shown}", en=f"Layers of `{model.name}`: {shown}") if shown else ""


def _fraction(value: float | None) -> str:
    return "–" if value is None else number(value, 3)


def _whole(value: float | None) -> str:
    return "–" if value is None else whole(round(value))


def _curve(values: tuple[float | None, ...] | None) -> str:
    """Draw a curve in a line of text, its first and last value on either side."""
    finite = [value for value in values or () if value is not None]
    if not finite:
        return "–"
    return f"{number(finite[0], 2)} {''.join(_bars(finite))} {number(finite[-1], 2)}"


def _bars(values: list[float]) -> Iterator[str]:
    every = -(-len(values) // SHOWN)
    low, high = min(values), max(values)
    for value in values[::-1][::every][::-1]:  # the last one always
        yield BARS[round((len(BARS) - 1) * (value - low) / (high - low))] if high > low else BARS[0]
