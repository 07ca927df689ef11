"""The typer application of `splot`: shared options and the entry point, which turns a user's error into exit code 2."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder.engine.errors import SplotError
from autograder.engine.text import Lang, printable

ASSIGNMENT = "cnn"

app = typer.Typer(
    help="Splot: an autograded assignment on convolutional networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def chosen_assignment() -> str:
    """Return the assignment's name: the only folder below source/ in the working directory, or else "cnn"."""
    found = [path.stem for path in Path("source").glob("*/*.ipynb") if path.stem == path.parent.name]
    return found[0] if len(found) == 1 else ASSIGNMENT


Language = Annotated[Lang, typer.Option("--lang", help="language of what the student reads")]


def main() -> None:
    """Run the command; a user's error prints one sentence and exits with code 2."""
    # GitHub must not read a printed line as a workflow command: some of the text is written by students.
    token = secrets.token_hex(16) if os.environ.get("GITHUB_ACTIONS") else ""
    if token:
        print(f"::stop-commands::{token}", flush=True)  # noqa: T201 - to the runner, not to a person
    try:
        app()
    except SplotError as error:
        from rich.console import Console

        Console(stderr=True).print(printable(f"splot: {error}"), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    finally:
        if token:
            print(f"::{token}::", flush=True)  # noqa: T201 - likewise
