"""The instructor's commands: `splot release`, `check`, `doctor` and `calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import Language, app, chosen_assignment
from autograder.engine.errors import SplotError
from autograder.engine.text import Lang, in_language


@app.command()
def release(
    fast: Annotated[bool, typer.Option("--fast", help="do not run the notebooks, only compare")] = False,
) -> None:
    """Make release/ from source/, and prove that it is right."""
    from rich.console import Console

    from autograder.cli.release import check_release, generate

    console = Console()
    made = generate(Path.cwd(), into=Path.cwd() / "release", assignment=chosen_assignment())
    console.print(f"{made} written.", highlight=False, markup=False)
    for claim in check_release(Path.cwd(), chosen_assignment(), run=not fast):
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
    from rich.console import Console

    from autograder.engine.notebook import check as checked
    from autograder.engine.notebook import find_submissions, load_assignment, write_fixed
    from autograder.engine.pages import print_check

    assignment = load_assignment(chosen_assignment())
    found = [notebook for path in paths for notebook in find_submissions(path, chosen_assignment())]
    if fix is not None and len(found) != 1:
        raise SplotError(f"--fix writes one notebook, and {len(found)} were given; give one.")
    with in_language(lang):
        results = [checked(notebook, assignment) for notebook in found]
        for result in results:
            print_check(result, Console())
        if fix is not None and results[0].refusal is None:
            write_fixed(found[0], assignment, fix)
    raise typer.Exit(max(result.exit_code for result in results))


@app.command()
def doctor() -> None:
    """Say what this machine can isolate, which data it has, what to install."""
    from rich.console import Console

    from autograder.engine.sandbox import Feature, gpu_feature, isolation
    from reference.data import DataNotFoundError, Dataset, load

    console = Console()
    found = list(isolation())
    for dataset in Dataset:
        required = dataset is Dataset.FASHION_MNIST
        try:
            images = f"{len(load(dataset, 'test'))} test images."
        except DataNotFoundError as error:
            found.append(Feature(dataset, False, "Not found.", str(error), required))
        else:
            found.append(Feature(dataset, True, images, required=required))
    found.append(gpu_feature())
    for feature in found:
        symbol = "✓" if feature.ok else "✗" if feature.required else "–"
        console.print(
            f"{symbol} {feature.name}: {feature.detail} {feature.remedy}".rstrip(),
            markup=False,
            highlight=False,
            soft_wrap=True,  # no line breaks, so that a command in it can be copied
        )
    if any(feature.required and not feature.ok for feature in found):
        raise typer.Exit(2)


@app.command()
def calibrate(
    datasets: Annotated[list[str] | None, typer.Argument(help="FashionMNIST, CIFAR10; by default all found")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; by default the grader's own")] = None,
    falls: Annotated[
        bool, typer.Option("--falls", help="only what accuracy falls by under a change of images")
    ] = False,
    growth: Annotated[
        bool, typer.Option("--growth", help="only what weak networks reach on 6,000, 24,000 and all images")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="seeds of each network for --falls and --growth")] = 3,
) -> None:
    """Measure the accuracy thresholds over seeds (more than an hour a data set without a GPU)."""
    from rich.console import Console

    from autograder.lesson import recalibrate

    console = Console()
    for line in recalibrate(datasets or [], out, seeds, only_falls=falls, only_growth=growth):
        console.print(line, markup=False, highlight=False)
