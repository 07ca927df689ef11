"""The `splot` command: the only place that prints and exits.

Each command imports what it needs when it runs: `splot --help` must not wait for torch.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.errors import SplotError
from autograder.language import Lang, speaking
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
        Console(stderr=True).print(f"splot: {error}", markup=False, highlight=False, soft_wrap=True)
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
    reports = grade_all(found, load_assignment(ASSIGNMENT), how, jobs)
    _finish(_watched(reports, len(found)), lang, fail_under, json, junit)


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
    from autograder.grading import regrade
    from autograder.paths import find_evidence

    assignment = load_assignment(ASSIGNMENT)
    folders = [folder for path in paths for folder in find_evidence(path)]
    reports = (regrade(folder, assignment, lang) for folder in folders)
    _finish(_watched(reports, len(folders)), lang, fail_under, json, junit)


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


def _watched(reports: Iterator[Report], total: int) -> list[Report]:
    """Show progress on the standard error stream while the reports come in."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("splot", total=total)
        done = []
        for report in reports:
            done.append(report)
            progress.advance(task)
    return done


def _finish(
    reports: list[Report], lang: Lang, fail_under: float | None, json: Path | None, junit_path: Path | None
) -> None:
    """Print the reports, write the files asked for, and exit."""
    from autograder.publish.files import write_whole
    from autograder.publish.junit import junit
    from autograder.publish.terminal import print_report, print_summary
    from autograder.report import encode_all

    with speaking(lang):
        console = Console()
        for report in reports:
            print_report(report, console)
        if len(reports) > 1:
            print_summary(reports, console)
        if json is not None:
            write_whole(json, encode_all(reports))
        if junit_path is not None:
            write_whole(junit_path, junit(reports))
    raise typer.Exit(exit_code(reports, fail_under))


def exit_code(reports: list[Report], fail_under: float | None) -> int:
    """Return 0 graded, 1 something below `fail_under`, 2 something not graded; the worst of them."""
    if any(report.status is Outcome.UNGRADED for report in reports):
        return 2
    below = [report for report in reports if fail_under is not None and (report.certain_percent or 0.0) < fail_under]
    return 1 if below else 0
