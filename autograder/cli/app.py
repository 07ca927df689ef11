"""The command itself: what all its parts share, and how a user's mistake ends."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
    """Return the course's assignment: the only one below source/ in the working directory, or else our own."""
    found = [path.stem for path in Path("source").glob("*/*.ipynb") if path.stem == path.parent.name]
    return found[0] if len(found) == 1 else ASSIGNMENT


Language = Annotated[Lang, typer.Option("--lang", help="language of what the student reads")]


def main() -> None:
    """Run the command; a mistake of the user's is one sentence and exit code 2."""
    # GitHub must take no printed line for one of its workflow commands: some are a student's own words.
    token = secrets.token_hex(16) if os.environ.get("GITHUB_ACTIONS") else ""
    if token:
        print(f"::stop-commands::{token}", flush=True)  # noqa: T201 - to the runner, not to a person
    try:
        app()
    except SplotError as error:
        Console(stderr=True).print(printable(f"splot: {error}"), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    finally:
        if token:
            print(f"::{token}::", flush=True)  # noqa: T201 - likewise
