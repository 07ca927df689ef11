"""`splot audit`: grade a corpus of submissions whose grade is known, and say where the grader is wrong."""

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import app, chosen_assignment
from autograder.cli.grading import Jobs, interruptible, progress, say_stopped
from autograder.engine.report import Profile


@app.command()
def audit(
    corpus: Annotated[
        Path | None, typer.Argument(help="folder of the submissions; by default corpus/<assignment>", exists=False)
    ] = None,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="where reports and evidence are kept for the next time")
    ] = Path("audited"),
    profile: Annotated[Profile, typer.Option(help="data to run on")] = Profile.QUICK,
    jobs: Jobs = 1,
    repeat: Annotated[int, typer.Option(min=1, help="grade each so often, on other hidden inputs")] = 1,
    only: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="only names with this in it; repeatable")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="run again what an earlier audit ran")] = False,
    json: Annotated[Path | None, typer.Option(dir_okay=False, help="also write the result here")] = None,
) -> None:
    """Grade submissions whose grade is known, and say where the grader is wrong; exit 1 if it is, 2 if one was not graded."""
    from rich.console import Console

    from autograder.engine.audit import audit_corpus, print_audit, read_corpus, summarize, write_audit_page
    from autograder.engine.errors import GraderError
    from autograder.engine.files import write_whole
    from autograder.engine.grading import Grading
    from autograder.engine.notebook import load_assignment
    from autograder.engine.report import encode
    from autograder.engine.sandbox import SandboxKind, require

    assignment = load_assignment(chosen_assignment())
    folder = corpus or Path("corpus") / assignment.name
    samples = [
        sample for sample in read_corpus(folder, assignment) if not only or any(part in sample.name for part in only)
    ]
    if not samples:
        raise GraderError(f"No submission of {folder} has {' or '.join(only or ())} in its name.")
    require(SandboxKind.BWRAP)
    how = Grading(out, profile, force=fresh)
    with interruptible() as stopped:
        total = repeat * len(samples)
        done = list(progress(audit_corpus(samples, assignment, how, jobs, repeat, stopped), total))
        result = summarize(done, assignment, profile, repeat)
        if done:
            print_audit(result, assignment, Console())
            write_audit_page(result, assignment, out / "audit.html")
        if json is not None:
            write_whole(json, encode(result))
        if stopped() and len(done) < total:
            say_stopped(len(done), total)
            raise typer.Exit(stopped.exit_code)
    raise typer.Exit(2 if result.ungraded else 1 if result.faults else 0)
