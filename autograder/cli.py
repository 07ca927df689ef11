"""The `splot` command: the only place that prints and exits.

Each command imports what it needs when it runs: `splot --help` must not wait for torch.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.errors import SplotError
from autograder.export import Bonus, Filled, System
from autograder.interruption import Interruption, interruptible
from autograder.language import Lang, speaking
from autograder.printable import printable
from autograder.report import Outcome, Profile, Report
from autograder.sandbox.room import SandboxKind

ASSIGNMENT = "cnn"

app = typer.Typer(
    help="Splot: an autograded assignment on convolutional networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Language = Annotated[Lang, typer.Option("--lang", help="language of what the student reads")]


def main() -> None:
    """Run the command; a mistake of the user's is one sentence and exit code 2."""
    try:
        app()
    except SplotError as error:
        Console(stderr=True).print(printable(f"splot: {error}"), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


@app.command()
def grade(
    paths: Annotated[list[Path], typer.Argument(help="a notebook, or a folder submitted/<student>/<assignment>/")],
    out: Annotated[Path, typer.Option(file_okay=False, help="where reports and evidence go")] = Path("graded"),
    profile: Annotated[
        Profile, typer.Option(help="data to run on; auto takes all only where it decides")
    ] = Profile.AUTO,
    lang: Language = Lang.PL,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="submissions graded at a time")] = 1,
    fail_under: Annotated[float | None, typer.Option(help="exit 1 where a score is below so many percent")] = None,
    json: Annotated[
        Path | None, typer.Option(dir_okay=False, help="also write the report here; of several, a list")
    ] = None,
    junit: Annotated[Path | None, typer.Option(dir_okay=False, help="also write JUnit XML here")] = None,
    sandbox: Annotated[SandboxKind, typer.Option(help="none: run student code unconfined")] = SandboxKind.BWRAP,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=1, help="seconds a notebook may take; by default 900 on quick and 5400 on full, a cell 300 and 1800"
        ),
    ] = None,
) -> None:
    """Run submissions in the sandbox, judge what they computed, write reports."""
    from autograder.assignment import load_assignment
    from autograder.batch import grade_all
    from autograder.grading import Grading
    from autograder.paths import find_submissions
    from autograder.sandbox import require

    found = [notebook for path in paths for notebook in find_submissions(path, ASSIGNMENT)]
    require(sandbox)
    how = Grading(out=out, profile=profile, lang=lang, sandbox=sandbox, time_limit=time_limit)
    with interruptible() as stopped:
        reports = grade_all(found, load_assignment(ASSIGNMENT), how, jobs, stopped)
        _finish(_Run(len(found), lang, json, junit), reports, stopped, fail_under)


@app.command()
def judge(
    paths: Annotated[list[Path], typer.Argument(help="graded/, or a folder graded/<student>/<assignment>/")],
    lang: Language = Lang.PL,
    fail_under: Annotated[float | None, typer.Option(help="exit 1 where a score is below so many percent")] = None,
    json: Annotated[
        Path | None, typer.Option(dir_okay=False, help="also write the report here; of several, a list")
    ] = None,
    junit: Annotated[Path | None, typer.Option(dir_okay=False, help="also write JUnit XML here")] = None,
) -> None:
    """Judge stored evidence again; no student code runs."""
    from autograder.assignment import load_assignment
    from autograder.batch import judge_all
    from autograder.grading import Grading
    from autograder.paths import find_evidence

    folders = [folder for path in paths for folder in find_evidence(path)]
    with interruptible() as stopped:
        reports = judge_all(folders, load_assignment(ASSIGNMENT), Grading(out=Path(), lang=lang), stopped)
        _finish(_Run(len(folders), lang, json, junit), reports, stopped, fail_under)


@app.command()
def report(
    graded: Annotated[Path, typer.Argument(help="where `splot grade` wrote")] = Path("graded"),
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="page to write; by default class.html in that folder")
    ] = None,
    lang: Language = Lang.PL,
) -> None:
    """Write one page for the whole class, and a CSV file of everything beside it."""
    from autograder.publish.classpage import write_class_page

    written = write_class_page(graded, ASSIGNMENT, lang, out)
    Console().print(
        printable(f"{written.page} and {written.table} written."), markup=False, highlight=False, soft_wrap=True
    )


@app.command()
def release(
    fast: Annotated[bool, typer.Option("--fast", help="do not run the notebooks, only compare")] = False,
) -> None:
    """Make release/ from source/, and prove that it is right."""
    from autograder.proof import prove
    from autograder.release import generate

    console = Console()
    made = generate(Path.cwd(), into=Path.cwd() / "release", assignment=ASSIGNMENT)
    console.print(f"{made} written.", highlight=False, markup=False)
    for claim in prove(Path.cwd(), ASSIGNMENT, run=not fast):
        console.print(f"{'✓' if claim.holds else '✗'} {claim.text}", highlight=False, markup=False)
        if not claim.holds:
            raise typer.Exit(2)


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="a notebook, or a folder submitted/<student>/<assignment>/")],
    lang: Language = Lang.PL,
    fix: Annotated[
        Path | None, typer.Option(help="write the one notebook, mended and without outputs, to this new file")
    ] = None,
) -> None:
    """Compare a notebook's cells with the original, and say what grading will mend; nothing is run.

    Exit 0: nothing is wrong; 1: something is damaged, and grading mends or bears it; 2: it cannot be read.
    """
    from autograder.assignment import load_assignment
    from autograder.check import check as checked
    from autograder.check import write_fixed
    from autograder.paths import find_submissions
    from autograder.publish.checked import print_check

    assignment = load_assignment(ASSIGNMENT)
    found = [notebook for path in paths for notebook in find_submissions(path, ASSIGNMENT)]
    if fix is not None and len(found) != 1:
        raise SplotError(f"--fix writes one notebook, and {len(found)} were given; give one.")
    with speaking(lang):
        results = [checked(notebook, assignment) for notebook in found]
        for result in results:
            print_check(result, Console())
        if fix is not None and results[0].refusal is None:
            write_fixed(found[0], assignment, fix)
    raise typer.Exit(max(result.exit_code for result in results))


@app.command()
def doctor() -> None:
    """Say what this machine can isolate, which data it has, what to install."""
    from autograder.doctor import examine

    console = Console()
    findings = examine()
    for finding in findings:
        mark = "✓" if finding.ok else "✗" if finding.required else "–"
        console.print(
            f"{mark} {finding.name}: {finding.detail} {finding.remedy}".rstrip(), markup=False, highlight=False
        )
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(2)


@app.command()
def calibrate(
    datasets: Annotated[list[str] | None, typer.Argument(help="FashionMNIST, CIFAR10; by default all found")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; by default the grader's own")] = None,
) -> None:
    """Measure the accuracy thresholds over seeds (half an hour a data set)."""
    from autograder.calibrate import calibrate as measure
    from autograder.profiles import available
    from autograder.thresholds import PATH, read, write
    from reference.data import Dataset

    unknown = sorted(set(datasets or ()) - set(Dataset))
    if unknown:
        raise SplotError(f"There is no data set {unknown[0]}; the grader knows {', '.join(Dataset)}.")
    console = Console()
    for dataset in map(Dataset, datasets or [dataset for dataset in Dataset if available(dataset)]):
        found = measure(
            dataset, report=lambda run: console.print(run.subject.name, run.profile, run.seed, run.accuracy)
        )
        path = out or PATH
        write(path, (read(path) if path.exists() else {}) | {dataset.value: found})
        console.print(
            f"{dataset}: full {found.full}, quick {found.quick}; {path} written.", markup=False, highlight=False
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
    from autograder.export import Rules, fill_file, read_grades

    with speaking(lang):
        grades = read_grades(graded, ASSIGNMENT, marks)
    rules = Rules(bonus=bonus, partial=partial, keep=keep, scale=scale, match=match)
    written, filled = fill_file(system, file, out, grades, rules, assignment=assignment, feedback=feedback)
    _print_filled(written, filled, len(grades))
    if not filled.complete:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Run:
    """How many submissions there are, and where what is said of them goes."""

    total: int
    lang: Lang
    json: Path | None
    junit: Path | None


def _finish(run: _Run, reports: Iterator[Report], stopped: Interruption, fail_under: float | None) -> None:
    """Take the reports as they come, publish them, however early the run ends, and exit."""
    done: list[Report] = []
    try:
        _watch(reports, run.total, done)
    finally:
        _publish(done, run)
    if stopped() and len(done) < run.total:
        said = f"Stopped: {len(done)} of {run.total} submissions are done; run the same again for the others."
        Console(stderr=True).print(f"splot: {said}", highlight=False, soft_wrap=True)
        raise typer.Exit(stopped.exit_code)
    raise typer.Exit(exit_code(done, fail_under))


def _watch(reports: Iterator[Report], total: int, done: list[Report]) -> None:
    """Show progress on the standard error stream while the reports come in."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("splot", total=total)
        for report in reports:
            done.append(report)
            progress.advance(task)


def _publish(reports: list[Report], run: _Run) -> None:
    """Print the reports and write the files asked for."""
    from autograder.publish.files import write_whole
    from autograder.publish.junit import junit
    from autograder.publish.terminal import print_report, print_summary
    from autograder.report import encode_all

    with speaking(run.lang):
        console = Console()
        for report in reports:
            print_report(report, console)
        if run.total > 1:
            print_summary(reports, console)
        if run.json is not None:
            write_whole(run.json, encode_all(reports, run.total))
        if run.junit is not None:
            write_whole(run.junit, junit(reports))


def exit_code(reports: list[Report], fail_under: float | None) -> int:
    """Return 0 graded, 1 something below `fail_under`, 2 something not graded; the worst of them."""
    if any(report.status is Outcome.UNGRADED for report in reports):
        return 2
    below = [report for report in reports if fail_under is not None and (report.certain_percent or 0.0) < fail_under]
    return 1 if below else 0


def _print_filled(written: Path, filled: Filled, total: int) -> None:
    """Print what an export wrote, and what is to be looked at, by matter."""
    from autograder.publish.terminal import plain

    by = f", students found by {filled.by!r}" if filled.by else ""
    console = Console(highlight=False)
    console.print(plain(f"{written} written: {filled.placed} of {total} grades{by}."), soft_wrap=True)
    for matter in filled.matters:
        console.print(plain(f"{matter}:"))
        for finding in filled.of(matter):
            console.print(plain(f"  {finding.who}: {finding.detail}".removesuffix(": ")), soft_wrap=True)
