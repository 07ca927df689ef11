"""The feedback page of one submission: what a student reads, in one file."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from autograder.errors import EvidenceError, SplotError, SubmissionError
from autograder.evidence.records import History
from autograder.files import write_whole
from autograder.measuring.findings import Findings, read_findings
from autograder.notebook.assignment import Assignment
from autograder.notebook.submission import read_submission
from autograder.publish.charts import Panel, panel
from autograder.publish.page import render
from autograder.report import CellReport, Check, Kind, Outcome, Report, Status, read_report
from autograder.text import Lang, say, speaking


@dataclass(frozen=True)
class Mark:
    """A person's grade of one cell; `score` is None where there is only a comment."""

    score: float | None
    max_score: float
    comment: str = ""


@dataclass(frozen=True)
class Finding:
    """What is said of a cell once, and the checks that say it."""

    message: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Row:
    """One graded cell as it stands: a person's points before the grader's."""

    cell: CellReport
    comment: str
    score: float | None
    points: float
    status: Status

    @property
    def bonus(self) -> bool:
        """Whether it counts beside the total."""
        return self.cell.kind is Kind.BONUS

    @property
    def task(self) -> str:
        """The task it belongs to: its title up to the first comma or colon."""
        return self.cell.title.replace(":", ",").partition(",")[0]

    @property
    def part(self) -> str:
        """Its title without the task."""
        rest = self.cell.title[len(self.task) :].lstrip(":, ")
        return rest[:1].upper() + rest[1:] if rest else self.cell.title

    @property
    def share(self) -> float:
        """The fraction of its points that it earned, 0…1."""
        return min(1.0, max(0.0, (self.score or 0.0) / self.points)) if self.points else 0.0

    @property
    def passed(self) -> tuple[Check, ...]:
        """The checks that passed."""
        return tuple(check for check in self.cell.checks if check.passed)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What did not pass, each message once."""
        said: dict[str, list[Check]] = {}
        for check in self.cell.checks:
            if not check.passed:
                said.setdefault(check.message, []).append(check)
        return tuple(Finding(message, tuple(checks)) for message, checks in said.items())


@dataclass(frozen=True)
class Sum:
    """Points earned of points decided, and points still open."""

    score: float
    decided: float
    open: float


def rows(report: Report, marks: Mapping[str, Mark]) -> tuple[Row, ...]:
    """Return the report's cells with the marks in them."""
    return tuple(_row(cell, marks.get(cell.id)) for cell in report.cells)


def _row(cell: CellReport, mark: Mark | None) -> Row:
    if mark is None or mark.score is None:
        return Row(cell, mark.comment if mark else "", cell.score, cell.points, cell.status)
    worth = cell.points or mark.max_score
    whole = Status.PASSED if mark.score >= worth else Status.PARTIAL if mark.score > 0 else Status.FAILED
    return Row(cell, mark.comment, mark.score, worth, whole)


def total(rows: Iterable[Row], *, bonus: bool = False) -> Sum:
    """Add up the ordinary cells, or the bonus ones."""
    counted = [row for row in rows if row.bonus is bonus]
    return Sum(
        round(sum(row.score or 0.0 for row in counted), 4),
        sum(row.points for row in counted if row.score is not None),
        sum(row.points for row in counted if row.score is None),
    )


def after_lateness(ordinary: Sum, bonus: Sum, penalty: float) -> tuple[Sum, Sum]:
    """Take a penalty off the points, and what is left of it off the bonus: a course may take both away."""
    off = min(penalty, ordinary.score)
    left = max(0.0, bonus.score - (penalty - off))
    return replace(ordinary, score=round(ordinary.score - off, 4)), replace(bonus, score=round(left, 4))


@dataclass(frozen=True)
class Place:
    """Where in the notebook to look: a heading, and the cell to work in where there is one."""

    heading: str
    solution: str


def place(assignment: Assignment, cell: str) -> Place:
    """Find a graded cell's heading and solution cell in the instructor's notebook."""
    heading = ""
    for template in assignment.cells:
        if template.grade_id == cell:
            break
        if template.kind == "markdown":
            titles = [line for line in template.source.splitlines() if line.startswith("#")]
            heading = titles[-1].lstrip("# ") if titles else heading
    solution = cell.removesuffix("_tests")
    return Place(heading, solution if solution in assignment.by_grade_id else "")


def expectation(cell: str) -> str:
    """Return the sentence of a cell; nothing where there is none."""
    return _EXPECTED[cell]() if cell in _EXPECTED else ""


def _trained(what_pl: str, what_en: str) -> str:
    return say(
        pl=f"{what_pl} Potrzebne są też: trening, historia, wyniki i wypisana liczba parametrów.",
        en=f"{what_en} Training, a history, results and the printed parameter count are needed as well.",
    )


_EXPECTED = {
    "task1_convolution_tests": lambda: say(
        pl="Funkcja convolution(X, K, q) oblicza mapy cech według wzoru z części 1, dla obrazów i filtrów dowolnych "
        "rozmiarów, bez korzystania z gotowych konwolucji.",
        en="convolution(X, K, q) computes the feature maps by the formula of part 1, for images and kernels of any size, "
        "without a library's convolution.",
    ),
    "task1_matrix_tests": lambda: say(
        pl="Funkcja convolution_matrix(X, K, q) daje to samo co convolution, ale przez mnożenie macierzy, bez pętli po "
        "pikselach.",
        en="convolution_matrix(X, K, q) gives what convolution does, by a matrix product, without a loop over pixels.",
    ),
    "task1_same_tests": lambda: say(
        pl="Funkcja convolution_same(X, K, q) dopełnia obraz zerami i zwraca mapy tak duże jak obraz wejściowy.",
        en="convolution_same(X, K, q) pads the image with zeros and returns maps as large as the image.",
    ),
    "task2_case_1_tests": lambda: say(
        pl="Warstwa case_1 zmniejsza mapę 224×224 do 55×55 i ma parametry podane w zadaniu.",
        en="The layer case_1 takes a 224×224 map to 55×55 and has the parameters the task gives.",
    ),
    "task2_case_2_tests": lambda: say(
        pl="Warstwa case_2 zamienia mapę 32×32 na 30×16 i ma parametry podane w zadaniu.",
        en="The layer case_2 turns a 32×32 map into 30×16 and has the parameters the task gives.",
    ),
    "task2_case_3_tests": lambda: say(
        pl="Warstwa case_3 zmniejsza mapę 50×50 do 46×46 dzięki dylatacji i ma parametry podane w zadaniu.",
        en="The layer case_3 takes a 50×50 map to 46×46 by dilation and has the parameters the task gives.",
    ),
    "task3_architecture_tests": lambda: say(
        pl="Model bazowy: co najmniej dwa bloki konwolucji, każdy zakończony aktywacją, potem spłaszczenie, warstwa liniowa "
        "i dziesięć wyników.",
        en="The baseline: at least two blocks of convolutions, each ended by an activation, then flattening, a linear "
        "layer, ten scores.",
    ),
    "task3_training_tests": lambda: say(
        pl="Trening modelu bazowego: kompletna historia, malejąca strata, narysowane krzywe, wypisana liczba parametrów "
        "i wyniki zgodne z tym, co daje sieć.",
        en="Training of the baseline: a complete history, a falling loss, curves plotted, the parameter count printed, "
        "and results that agree with what the network gives.",
    ),
    "task3_accuracy_tests": lambda: say(
        pl="Model bazowy dobrze rozpoznaje także obrazy, których wcześniej nie widział.",
        en="The baseline also recognises images that it never saw.",
    ),
    "task4_exp1_tests": lambda: _trained(
        "Dwie sieci jak model bazowy, ale jedna z max poolingiem, a druga z average poolingiem po konwolucjach.",
        "Two networks like the baseline, one with max pooling after its convolutions, one with average pooling.",
    ),
    "task4_exp2_tests": lambda: _trained(
        "Sieć gap: Global Average Pooling zamiast spłaszczenia, a pooling po konwolucjach zostaje.",
        "The network gap: global average pooling in place of flattening, pooling after the convolutions kept.",
    ),
    "task4_exp3_tests": lambda: _trained(
        "Sieć regularized: sieć gap z BatchNorm2d lub Dropout2d.",
        "The network regularized: gap with BatchNorm2d or Dropout2d.",
    ),
    "task4_exp4_tests": lambda: _trained(
        "Sieć deep: więcej konwolucji niż w regularized, ostatnia ma co najmniej tyle filtrów co pierwsza.",
        "The network deep: more convolutions than regularized, the last with at least as many filters as the first.",
    ),
    "task4_exp5_tests": lambda: _trained(
        "Sieć custom: co najmniej dwa parametry konwolucji spośród stride, dilation i padding są inne niż domyślne.",
        "The network custom: at least two of its convolutions' stride, dilation and padding differ from the defaults.",
    ),
    "task4_exp5_answer": lambda: say(
        pl="Odpowiedź pisemna: dlaczego takie parametry i jaki był skutek ich zmiany.",
        en="A written answer: why these parameters, and what changing them did.",
    ),
    "task4_single_loop_tests": lambda: say(
        pl="Wszystkie sieci trenuje jedna i ta sama pętla.",
        en="One and the same loop trains all networks.",
    ),
    "task4_comparison": lambda: say(
        pl="Odpowiedź pisemna: porównanie eksperymentów na podstawie wyników i krzywych uczenia.",
        en="A written answer: the experiments compared by their results and learning curves.",
    ),
    "task5_cam_tests": lambda: say(
        pl="Funkcja cam(model, image, class_index) zwraca mapę Σ_k w_ck·f_k(x, y) dla podanej klasy.",
        en="cam(model, image, class_index) returns the map Σ_k w_ck·f_k(x, y) of the given class.",
    ),
}


FILE = "feedback.html"
NO_MARKS: Mapping[str, Mark] = MappingProxyType({})


def write_feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Mapping[str, Mark] = NO_MARKS, *, penalty: float = 0.0
) -> Path:
    """Write `feedback.html` into a folder graded/<student>/<assignment>/ and return its path.

    `marks` are a person's grades and comments by cell id; `penalty` is what was taken off for lateness, in points.
    Raises `SplotError` where there is no report, or the page cannot be written.
    """
    return write_whole(folder / FILE, feedback(folder, assignment, lang, marks, penalty=penalty).encode())


def leave_feedback(folder: Path, assignment: Assignment, lang: Lang) -> None:
    """Write the page where that can be done; a fault of ours in it never costs the grade, and no older page stays."""
    try:
        write_feedback(folder, assignment, lang)
    except Exception:  # noqa: BLE001 - see above
        with contextlib.suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)


def feedback(
    folder: Path, assignment: Assignment, lang: Lang, marks: Mapping[str, Mark] = NO_MARKS, *, penalty: float = 0.0
) -> str:
    """Return the page; see `write_feedback`. It shows less where the judge left no findings."""
    report = _report(folder)
    findings = _findings(folder / "evidence", report)
    with speaking(lang):
        judged = rows(report, marks)
        ordinary, bonus = after_lateness(total(judged), total(judged, bonus=True), penalty)
        styles = {model.name: style for style, model in enumerate(findings.models)}
        return render(
            "feedback.html",
            lang,
            report=report,
            findings=findings,
            tasks=_by_task(judged),
            total=ordinary,
            bonus=bonus,
            penalty=penalty,
            reason=_own_fault(report, assignment, lang),
            places={row.cell.id: place(assignment, row.cell.id) for row in judged},
            expected={row.cell.id: expectation(row.cell.id) for row in judged},
            panels=_panels({model.name: model.history for model in findings.models if model.history}, styles),
            styles=styles,
        )


def _report(folder: Path) -> Report:
    try:
        return read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise SplotError(f"{folder / 'report.json'} cannot be read ({error}); grade the submission first.") from error


def _findings(evidence: Path, report: Report) -> Findings:
    """Read what the judge found; what an ungraded report leaves lying about belongs to an earlier run."""
    if report.status is Outcome.UNGRADED:
        return Findings()
    try:
        return read_findings(evidence)
    except EvidenceError:
        return Findings()


def _by_task(judged: tuple[Row, ...]) -> dict[str, list[Row]]:
    tasks: dict[str, list[Row]] = {}
    for row in judged:
        tasks.setdefault(row.task, []).append(row)
    return tasks


def _own_fault(report: Report, assignment: Assignment, lang: Lang) -> str:
    """Say why what was handed in cannot be graded; what the grader itself broke is not the student's to read.

    The report's reason may be either; it is the student's where reading the submission again gives the same.
    """
    if report.status is not Outcome.UNGRADED:
        return ""
    path = Path(report.submission)
    refusals = {each: _refusal(path, assignment, each) for each in Lang}
    if report.reason not in refusals.values():
        return ""
    return refusals[lang].replace(str(path), path.name).replace(str(path.parent), path.parent.name)


def _refusal(path: Path, assignment: Assignment, lang: Lang) -> str:
    """Return why a submission is refused; nothing where it is not."""
    with speaking(lang):
        try:
            read_submission(path, assignment)
        except SubmissionError as error:
            return str(error)
        except Exception:  # noqa: BLE001 - a fault of ours: the report's reason says so to the instructor
            return ""
    return ""


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
