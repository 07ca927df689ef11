"""`splot report` (the class page) and `splot export` (grades for Moodle, Canvas or a CSV table)."""

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import Language, app, chosen_assignment
from autograder.engine.lms import HELP, Bonus, Rules, System, fill_file, read_grades
from autograder.engine.text import Lang, in_language, printable


@app.command()
def report(
    graded: Annotated[Path, typer.Argument(help="where `splot grade` wrote")] = Path("graded"),
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="page to write; by default class.html in that folder")
    ] = None,
    lang: Language = Lang.PL,
) -> None:
    """Write one page for the whole class, and a CSV file of everything beside it."""
    from rich.console import Console

    from autograder.engine.notebook import load_assignment
    from autograder.engine.pages import write_class_page

    page, table = write_class_page(graded, load_assignment(chosen_assignment()), lang, out)
    Console().print(printable(f"{page} and {table} written."), markup=False, highlight=False, soft_wrap=True)


@app.command()
def export(
    system: Annotated[System, typer.Argument(help="where grades go; csv is a table of ours, one row per student")],
    file: Annotated[
        Path | None, typer.Argument(help="Moodle's grading worksheet or Canvas's gradebook, as downloaded")
    ] = None,
    graded: Annotated[Path, typer.Option("--from", help="where `splot grade` wrote")] = Path("graded"),
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="new file to write; by default FILE-filled.csv, or grades.csv")
    ] = None,
    assignment: Annotated[str | None, typer.Option(help=HELP["column"])] = Rules.column,
    match: Annotated[str | None, typer.Option(help=HELP["match"])] = Rules.match,
    marks: Annotated[
        Path | None,
        typer.Option(help="points a person gave: a CSV file with columns `student` and cell ids, such as csv writes"),
    ] = None,
    bonus: Annotated[Bonus, typer.Option(help=HELP["bonus"])] = Rules.bonus,
    partial: Annotated[bool, typer.Option("--partial", help=HELP["partial"])] = Rules.partial,
    keep: Annotated[bool, typer.Option("--keep", help=HELP["keep"])] = Rules.keep,
    scale: Annotated[bool, typer.Option("--scale", help=HELP["scale"])] = Rules.scale,
    feedback: Annotated[bool, typer.Option("--feedback", help=HELP["feedback"])] = Rules.feedback,
    lang: Language = Lang.PL,
) -> None:
    """Fill grades into Moodle's or Canvas's own file, or write a table.

    The downloaded file stays as it is; of the new one only the cells filled in differ. Who got no grade is listed with
    the reason, and the exit code is then 1: not in the file, fits several rows, not graded, above Moodle's maximum, or
    waiting for a person (give --marks, or --partial).
    """
    from rich.console import Console

    from autograder.engine.pages import plain, read_reports

    with in_language(lang):
        grades = read_grades(read_reports(graded, chosen_assignment()), marks)
    rules = Rules(assignment, match, bonus, partial, keep, scale, feedback)
    written, filled = fill_file(system, file, out, grades, rules)
    by = f", students found by {filled.by!r}" if filled.by else ""
    console = Console(highlight=False)
    console.print(plain(f"{written} written: {filled.placed} of {len(grades)} grades{by}."), soft_wrap=True)
    for kind, issues in filled.by_kind.items():
        console.print(plain(f"{kind}:"))
        for issue in issues:
            console.print(plain(f"  {issue.who}: {issue.detail}".removesuffix(": ")), soft_wrap=True)
    if not filled.complete:
        raise typer.Exit(1)
