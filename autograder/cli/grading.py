"""`splot grade` and `splot judge`: print and write the reports as they are finished, then exit."""

import shlex
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from autograder.cli.app import Language, app, chosen_assignment
from autograder.engine.report import Outcome, Profile, Report, SandboxKind
from autograder.engine.text import Lang, in_language, printable

if TYPE_CHECKING:
    from autograder.engine.grading import Finished

T = TypeVar("T")
MOST_WARNINGS = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM)

FailUnder = Annotated[float | None, typer.Option(help="exit 1 where a score is below so many percent")]
JSONFile = Annotated[Path | None, typer.Option(dir_okay=False, help="also write the report here; of several, a list")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=1, help="submissions graded at a time")]
JUnitFile = Annotated[Path | None, typer.Option(dir_okay=False, help="also write JUnit XML here")]


@app.command()
def grade(
    paths: Annotated[list[Path], typer.Argument(help="a notebook, or a folder submitted/<student>/<assignment>/")],
    out: Annotated[Path, typer.Option(file_okay=False, help="where reports and evidence go")] = Path("graded"),
    profile: Annotated[
        Profile, typer.Option(help="data to run on; auto takes all only where it decides")
    ] = Profile.AUTO,
    lang: Language = Lang.PL,
    jobs: Jobs = 1,
    cluster: Annotated[
        str | None,
        typer.Option(help="grade on a Dask cluster: tls://HOST:PORT, or local or slurm, which start -j workers"),
    ] = None,
    fail_under: FailUnder = None,
    json: JSONFile = None,
    junit: JUnitFile = None,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="let the sandbox use a GPU, one student at a time per GPU")
    ] = False,
    sandbox: Annotated[SandboxKind, typer.Option(help="none: run student code unconfined")] = SandboxKind.BWRAP,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=1, help="seconds a notebook may take; by default 900 on quick and 5400 on full, a cell 300 and 1800"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="grade again what is unchanged since an earlier run")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="STUDENT", help="grade this student alone; repeatable")
    ] = None,
) -> None:
    """Run submissions in the sandbox, judge what they computed, write reports; what is unchanged is not run again."""
    from autograder.engine.grading import Grading, grade_all, grade_on_cluster
    from autograder.engine.notebook import find_submissions, left_out, load_assignment, of_students
    from autograder.engine.sandbox import require

    found_at = {path: find_submissions(path, chosen_assignment(), out) for path in paths}
    found = [notebook for notebooks in found_at.values() for notebook in notebooks]
    if only:
        found = of_students(found, only, chosen_assignment())
    warnings = [line for path, here in found_at.items() for line in left_out(path, chosen_assignment(), here, out)]
    if len(warnings) > MOST_WARNINGS:
        warnings[MOST_WARNINGS:] = [f"There are {len(warnings) - MOST_WARNINGS} more such lines."]
    for line in warnings:
        _say(line)
    if cluster is None:
        require(sandbox, gpu=gpu)
    how = Grading(out, profile, lang, sandbox, gpu, time_limit, force=force)
    with interruptible() as stopped:
        assignment = load_assignment(chosen_assignment())
        if cluster is None:
            reports = grade_all(found, assignment, how, jobs, stopped)
        else:
            reports = grade_on_cluster(found, assignment, how, cluster, jobs, stopped, _say)
        _finish(_Run(len(found), lang, json, junit, counts=True), reports, stopped, fail_under)


@app.command()
def judge(
    paths: Annotated[list[Path], typer.Argument(help="graded/, or a folder graded/<student>/<assignment>/")],
    lang: Language = Lang.PL,
    jobs: Jobs = 1,
    fail_under: FailUnder = None,
    json: JSONFile = None,
    junit: JUnitFile = None,
) -> None:
    """Judge stored evidence again; no student code runs."""
    from autograder.engine.grading import Grading, judge_all
    from autograder.engine.notebook import find_evidence, load_assignment

    folders = [folder for path in paths for folder in find_evidence(path)]
    with interruptible() as stopped:
        how = Grading(out=Path(), lang=lang)
        reports = judge_all(folders, load_assignment(chosen_assignment()), how, jobs, stopped)
        _finish(_Run(len(folders), lang, json, junit), reports, stopped, fail_under)


def _say(sentence: str) -> None:
    """Print a sentence that is no error beside the reports."""
    from rich.console import Console

    Console(stderr=True).print(printable(f"splot: {sentence}"), markup=False, highlight=False, soft_wrap=True)


class Interruption:
    """Whether a signal asked to stop: call it; `number` is that signal.

    An exception raised out of a signal handler gets lost where Python cannot pass it on (in `__del__`, in a callback of C
    code), and where a library takes it for its own: asyncio cancels, and nbclient takes a cancelled cell for a dead kernel.
    """

    number: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """What a shell calls the end by that signal."""
        return 128 + (self.number or 0)

    def note(self, number: int, _: FrameType | None) -> None:
        """Take note of a signal, as its handler."""
        self.number = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take note of the signals inside the block instead of being ended by them; for a process's main thread."""
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.note) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Run:
    """One command run: how many submissions it has, and which files its reports are written to."""

    total: int
    lang: Lang
    json: Path | None
    junit: Path | None
    counts: bool = False
    """Whether to say how many reports stayed or were only judged again; `judge` does nothing else."""


def _finish(run: _Run, reports: Iterator["Finished"], stopped: Interruption, fail_under: float | None) -> None:
    """Collect the reports with a progress bar, publish them even if the run is interrupted, and exit."""
    done: list[Finished] = []
    try:
        for finished in progress(reports, run.total):
            done.append(finished)  # noqa: PERF402 - what came before an error is published
    finally:
        _publish([finished.report for finished in done], run)
    if run.counts:
        _say_counts(done, run.total)
    if stopped() and len(done) < run.total:
        say_stopped(len(done), run.total)
        raise typer.Exit(stopped.exit_code)
    raise typer.Exit(exit_code([finished.report for finished in done], fail_under))


def progress(items: Iterator[T], total: int) -> Iterator[T]:
    """Yield the items as they come, with a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    times = TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, *times, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("splot", total=total)
        for item in items:
            yield item
            bar.advance(task)


def say_stopped(done: int, total: int) -> None:
    """Say that a signal stopped the command."""
    _say(f"Stopped: {done} of {total} submissions are done; run the same again for the others.")


def _say_counts(done: "list[Finished]", total: int) -> None:
    """Say for how many submissions the student's code did not run."""
    from autograder.engine.grading import Work

    count = Counter(finished.work for finished in done)
    if kept := count[Work.UNCHANGED]:
        _say(f"{kept} of {total} unchanged since an earlier run and not graded again; --force does.")
    if judged := count[Work.JUDGED]:
        _say(f"{judged} of {total} judged again from the evidence of an earlier run; --force runs them.")
    kept_reports = [finished.report for finished in done if finished.work is not Work.GRADED]
    late = [report.student for report in kept_reports if report.met_time_limit]
    if late:
        only = shlex.join(word for student in late for word in ("--only", student))
        _say(
            f"{len(late)} of these met a time limit in that run, perhaps on a busy machine; "
            f"the same command with {only} --force runs {'it' if len(late) == 1 else 'them'} again."
        )


def _publish(reports: list[Report], run: _Run) -> None:
    """Print the reports and write the files asked for."""
    from rich.console import Console

    from autograder.engine.files import write_whole
    from autograder.engine.pages import junit, print_report, print_summary
    from autograder.engine.report import encode_all

    with in_language(run.lang):
        console = Console()
        for report in reports:
            print_report(report, console)
        if run.total > 1 and reports:
            print_summary(reports, console)
        if run.json is not None:
            write_whole(run.json, encode_all(reports, run.total))
        if run.junit is not None:
            write_whole(run.junit, junit(reports))


def exit_code(reports: list[Report], fail_under: float | None) -> int:
    """Return the exit code: 2 if a submission was not graded, else 1 if a score is below `fail_under`, else 0."""
    if any(report.status is Outcome.UNGRADED for report in reports):
        return 2
    below = [report for report in reports if fail_under is not None and (report.certain_percent or 0.0) < fail_under]
    return 1 if below else 0
