"""Shows an audit, in the terminal and as a page: rows are submissions, columns are checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder.engine.audit.compare import CheckAudit, SampleAudit, Verdict, is_fault
from autograder.engine.audit.rates import CONFIDENCE, Rate, Rates, rates
from autograder.engine.audit.run import Audit
from autograder.engine.files import write_whole
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment
from autograder.engine.pages import percent, plain, render
from autograder.engine.text import Lang, in_language

LEGEND = "+ passes, - fails, as they should; ? open, more data may decide it; p left to a person; ! otherwise than the row says"


@dataclass(frozen=True)
class AuditRow:
    """One submission in the table: its checks by test cell, the worst of all repeats."""

    name: str
    summary: str
    cells: dict[str, tuple[CheckAudit, ...]]
    reason: str | None
    flips: bool
    """Whether a check came out differently in some repeat."""


@dataclass(frozen=True)
class AuditTable:
    """An audit as a table."""

    audit: Audit
    assignment: Assignment

    @cached_property
    def cells(self) -> dict[str, str]:
        """The test cells that some row is about, in the notebook's order, with their titles."""
        there = {check.cell for sample in self.audit.samples for check in sample.checks}
        return {item.grade_id: item.title_en for item in self.assignment.items if item.grade_id in there}

    @cached_property
    def rows(self) -> list[AuditRow]:
        """The submissions, by name."""
        by_name: dict[str, list[SampleAudit]] = {}
        for sample in self.audit.samples:
            by_name.setdefault(sample.name, []).append(sample)
        return [self._row(repeats) for repeats in by_name.values()]

    def _row(self, repeats: list[SampleAudit]) -> AuditRow:
        reason = next((sample.reason for sample in repeats if sample.reason is not None), None)
        graded = [sample.checks for sample in repeats if sample.reason is None]
        worst = [max(same, key=_badness) for same in zip(*graded, strict=True)]
        cells = {cell: tuple(check for check in worst if check.cell == cell) for cell in self.cells}
        flips = any(len({check.passed for check in same}) > 1 for same in zip(*graded, strict=True))
        return AuditRow(repeats[0].name, repeats[0].summary, cells, reason, flips)

    @cached_property
    def checks(self) -> list[tuple[str, str, Rates]]:
        """Each check with its test cell and its own rates."""
        found: dict[tuple[str, str], list[SampleAudit]] = {}
        for sample in self.audit.samples:
            for check in sample.checks:
                one = SampleAudit(sample.name, sample.summary, (check,))
                found.setdefault((check.cell, check.check), []).append(one)
        order = list(self.cells)
        return [
            (cell, check, rates(samples))
            for (cell, check), samples in sorted(found.items(), key=lambda item: order.index(item[0][0]))
        ]

    @cached_property
    def faults(self) -> list[tuple[AuditRow, list[CheckAudit]]]:
        """The submissions on which the grader and the rows disagree, with these checks."""
        found = [
            (row, [check for checks in row.cells.values() for check in checks if is_fault(check)]) for row in self.rows
        ]
        return [(row, checks) for row, checks in found if checks or row.reason is not None]


def _badness(check: CheckAudit) -> int:
    return 2 if is_fault(check) else int(check.verdict is not Verdict.AGREES)


def symbol(check: CheckAudit) -> str:
    """Return one character for a check; `LEGEND` says which."""
    if is_fault(check):
        return "!"
    return {Verdict.OPEN: "?", Verdict.PERSON: "p"}.get(check.verdict, "+" if check.passed else "-")


def explain_rates(figures: Rates) -> list[str]:
    """Return a sentence for each kind of error."""
    kinds = (
        (figures.false_fails, "checks that should pass failed"),
        (figures.false_passes, "checks that should fail passed"),
        (figures.unnamed, "failures did not name the mistake"),
    )
    with in_language(Lang.EN):
        sentences = [f"{rate.count} of {rate.n} {what}{_bound(rate)}." for rate, what in kinds]
    return [*sentences, f"{figures.open} checks are open: more data may decide them."] if figures.open else sentences


def _bound(rate: Rate) -> str:
    return (
        "" if rate.at_most is None else f" (at most {percent(rate.at_most, 1)} with {percent(CONFIDENCE)} confidence)"
    )


def print_audit(audit: Audit, assignment: Assignment, console: Console) -> None:
    """Print the table, what disagrees, and the rates."""
    table = AuditTable(audit, assignment)
    for text in _lines(table):
        console.print(text, soft_wrap=True)  # what is longer than the terminal goes on in its next line
    columns = ", ".join(f"{number} {cell.removesuffix('_tests')}" for number, cell in enumerate(table.cells, 1))
    console.print(plain(f"{columns}; {LEGEND}"), style="dim")
    for row, checks in table.faults:
        console.print(plain(f"\n{row.name}: {row.summary}"), style="bold")
        for line in [row.reason] if row.reason is not None else map(describe, checks):
            console.print(plain(f"  {line}"), soft_wrap=True)
    console.print()
    for sentence in explain_rates(audit.rates):
        console.print(plain(sentence), soft_wrap=True)


def _lines(table: AuditTable) -> Iterator[Text]:
    """Yield the table: the names, then a column for each test cell, by its number, with a character for each check."""
    first = max(len(row.name) for row in table.rows) + 1
    width = {
        cell: max(len(str(number)), *(len(row.cells[cell]) for row in table.rows))
        for number, cell in enumerate(table.cells, 1)
    }
    numbers = (str(number).ljust(size) for number, size in enumerate(width.values(), 1))
    yield Text(" ".join(["submission".ljust(first), *numbers]), "bold")
    for row in table.rows:
        line = Text(row.name.ljust(first))
        for cell, size in width.items():
            line.append(" ")
            for check in row.cells[cell]:
                line.append(char := symbol(check), "bold red" if char == "!" else "")
            line.append(" " * (size - len(row.cells[cell])))
        line.rstrip()
        yield line


def describe(check: CheckAudit) -> str:
    """Say in a line what a check should have done and what it did."""
    did = {True: "passed", False: "failed", None: "is left to a person"}[check.passed]
    should = "should pass" if check.expected else "should fail"
    but = "should fail with another message, and failed" if check.verdict is Verdict.UNNAMED else f"{should}, but {did}"
    return f"{check.cell}, {check.check}: {but}{': ' if check.message else ''}{check.message}"


def write_audit_page(audit: Audit, assignment: Assignment, path: Path) -> None:
    """Write the page that instructors can show."""
    table = AuditTable(audit, assignment)
    page = render(
        "audit.html",
        Lang.EN,
        find_lesson(assignment.lesson),
        table=table,
        audit=audit,
        sentences=explain_rates(audit.rates),
        describe=describe,
        symbol=symbol,
        legend=LEGEND,
    )
    write_whole(path, page.encode())
