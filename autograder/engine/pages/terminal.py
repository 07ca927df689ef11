"""Prints reports in the terminal.

Text from students is printed without markup and control characters.
"""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autograder.engine.notebook import CheckResult
from autograder.engine.pages.page import status_name
from autograder.engine.pages.results import by_message
from autograder.engine.report import Kind, Outcome, Report, Status
from autograder.engine.text import number, points, printable, say

COLOURS = {
    Status.PASSED: "green",
    Status.PARTIAL: "yellow",
    Status.MANUAL: "cyan",
    Status.UNDECIDED: "cyan",
}


def print_check(checked: CheckResult, console: Console) -> None:
    """Print what is wrong with one notebook; a student's own words in them are shown harmlessly."""
    if checked.refusal is not None:
        console.print(plain(checked.refusal), soft_wrap=True)
        return
    fine = say(pl="nic nie wymaga naprawy.", en="nothing needs mending.")
    console.print(plain(f"{checked.path}: {'' if checked.damage else fine}".rstrip()), soft_wrap=True)
    for damage in checked.damage:
        console.print(quoted(f"• {damage}"))


def print_report(report: Report, console: Console) -> None:
    """Print one report."""
    if report.status is Outcome.UNGRADED:
        title = plain(f"{report.student} · {report.status}")
        console.print(Panel(quoted(report.reason or ""), title=title, border_style="red"))
        return
    score = f"{points(report.score)} / {points(report.max_score)}"
    bonus = f" + {points(report.bonus)} / {points(report.max_bonus)} bonus" if report.max_bonus else ""
    title = plain(f"{report.student} · {score}{bonus}")
    table = Table(box=None, pad_edge=False)
    table.add_column(say(pl="zadanie", en="task"))
    table.add_column(say(pl="punkty", en="points"), justify="right")
    table.add_column(say(pl="wynik", en="result"))
    parts: list[RenderableType] = [table]
    for cell in report.cells:
        score = f"{points(cell.score)} / {points(cell.points)}"
        star = " ★" if cell.kind is Kind.BONUS else ""
        table.add_row(plain(cell.title + star), score, Text(status_name(cell.status), COLOURS.get(cell.status, "red")))
        for message, checks in by_message(cell.checks).items():
            if message:
                names = Text(", ".join(check.name for check in checks), "bold")
                parts += [Text("\n") + names + Text(f" ({cell.id})", "dim"), quoted(message)]
    console.print(Panel(Group(*parts, *_footer(report)), title=title, border_style="blue"))


def print_summary(reports: list[Report], console: Console) -> None:
    """Print one line per submission."""
    table = Table(box=None)
    for name in (say(pl="praca", en="submission"), say(pl="punkty", en="points"), "bonus"):
        table.add_column(name)
    table.add_column(say(pl="oceni osoba prowadząca", en="for a person"))
    for report in reports:
        table.add_row(
            plain(report.student),
            f"{points(report.score)} / {points(report.max_score)}",
            f"{points(report.bonus)} / {points(report.max_bonus)}",
            plain(report.reason or ", ".join(report.needs_manual)),
        )
    console.print(table)


def plain(text: str) -> Text:
    """Return a student's text on one line, without meaning to the terminal or to rich.

    Control characters, line breaks, bidirectional and zero-width marks and private glyphs show as U+FFFD.
    """
    return Text(printable(text))


def quoted(text: str) -> Padding:
    """Return a message as an indented block: none of its lines, wrapped ones too, can pass for a line of the report."""
    return Padding(Text("\n").join(plain(line) for line in text.split("\n")), (0, 0, 0, 4))


def _footer(report: Report) -> list[Text]:
    lines = [plain(note) for note in report.notes]
    for name, model in report.models.items():
        accuracy = number(model.accuracy) if model.accuracy is not None else "–"
        layers = " → ".join(model.layers)
        measured = say(
            pl=f"dokładność {accuracy}, liczba parametrów {model.parameters}, warstwy: {layers}",
            en=f"accuracy {accuracy}, {model.parameters} parameters, layers: {layers}",
        )
        lines.append(plain(f"{name}: ") + Text(measured))
    time = report.timing
    about = ", ".join(filter(None, (str(report.profile), report.dataset)))
    how = say(
        pl=f"profil {about}; notebook {number(time.notebook_s, 1)} s, ocenianie {number(time.ours_s, 1)} s",
        en=f"profile {about}; notebook {number(time.notebook_s, 1)} s, grading {number(time.ours_s, 1)} s",
    )
    return [Text("\n") + line for line in (*lines, Text(how, "dim"))]
