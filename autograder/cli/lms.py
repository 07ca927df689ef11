"""What becomes of grades: `splot report`, a page of the class, and `splot export`, for Moodle, Canvas or a table."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograder.cli.app import Language, app, chosen_assignment
from autograder.engine.lms import Bonus, Filled, System
from autograder.engine.text import Lang, printable, speaking


@app.command()
def report(
    graded: Annotated[Path, typer.Argument(help="where `splot grade` wrote")] = Path("graded"),
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="page to write; by default class.html in that folder")
    ] = None,
    lang: Language = Lang.PL,
) -> None:
    """Write one page for the whole class, and a CSV file of everything beside it."""
    from autograder.engine.notebook import load_assignment
    from autograder.engine.pages import write_class_page

    written = write_class_page(graded, load_assignment(chosen_assignment()), lang, out)
    Console().print(
        printable(f"{written.page} and {written.table} written."), markup=False, highlight=False, soft_wrap=True
    )


@app.command()
def export(
    system: Annotated[System, typer.Argument(help="where grades go; csv is a table of ours, a row a student")],
    file: Annotated[
        Path | None, typer.Argument(help="Moodle's grading worksheet or Canvas's gradebook, as downloaded")
    ] = None,
    graded: Annotated[Path, typer.Option("--from", help="where `splot grade` wrote")] = Path("graded"),
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="new file to write; by default FILE-filled.csv, or grades.csv")
    ] = None,
    assignment: Annotated[
        str | None,
        typer.Option(help="column to fill: in Canvas its title or number; in Moodle only if not Grade or Ocena"),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(help="header of the column that names students; by default the one that finds the most"),
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="points a person gave: a CSV file with columns `student` and cell ids, such as csv writes"),
    ] = None,
    bonus: Annotated[
        Bonus, typer.Option(help="cap: up to full marks; add: above them too; separate: leave it out")
    ] = Bonus.CAP,
    partial: Annotated[bool, typer.Option("--partial", help="also grades of which a part waits for a person")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="leave grades that the file already has")] = False,
    scale: Annotated[bool, typer.Option("--scale", help="convert to the file's maximum")] = False,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Moodle: points by task as a comment, where there is none")
    ] = False,
    lang: Language = Lang.PL,
) -> None:
    """Fill grades into Moodle's or Canvas's own file, or write a table.

    The downloaded file stays as it is; of the new one only the cells filled in differ. Who got no grade is listed with
    the reason, and the exit code is then 1: not in the file, fits several rows, not graded, above Moodle's maximum, or
    waiting for a person (give --marks, or --partial).
    """
    from autograder.engine.lms import Rules, fill_file, read_grades

    with speaking(lang):
        grades = read_grades(graded, chosen_assignment(), marks)
    rules = Rules(bonus=bonus, partial=partial, keep=keep, scale=scale, match=match)
    written, filled = fill_file(system, file, out, grades, rules, assignment=assignment, feedback=feedback)
    _print_filled(written, filled, len(grades))
    if not filled.complete:
        raise typer.Exit(1)


def _print_filled(written: Path, filled: Filled, total: int) -> None:
    """Print what an export wrote, and what is to be looked at, by matter."""
    from autograder.engine.pages import plain

    by = f", students found by {filled.by!r}" if filled.by else ""
    console = Console(highlight=False)
    console.print(plain(f"{written} written: {filled.placed} of {total} grades{by}."), soft_wrap=True)
    for matter in filled.matters:
        console.print(plain(f"{matter}:"))
        for finding in filled.of(matter):
            console.print(plain(f"  {finding.who}: {finding.detail}".removesuffix(": ")), soft_wrap=True)
