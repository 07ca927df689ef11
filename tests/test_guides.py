"""The guides show commands that exist and pictures that are there."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from nbgrader.apps import NbGraderApp

from autograder.cli import app

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted(ROOT.glob("docs/*.md"))
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(guide: Path, name: str) -> list[list[str]]:
    """Return the words of each shown command that begins with a name."""
    blocks = "".join(BLOCK.findall(guide.read_text(encoding="utf-8"))).replace("\\\n", "")
    return [shlex.split(line, comments=True)[1:] for line in blocks.splitlines() if line.startswith(f"{name} ")]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_commands_and_options_exist(guide: Path) -> None:
    """Every `splot` command parses as shown, every option named in a table is one of `splot export`."""
    group = typer.main.get_command(app)
    for command, *arguments in commands(guide, "splot"):
        with group.make_context("splot", [command]) as context:
            found = group.get_command(context, command)  # type: ignore[attr-defined]
            assert found is not None, command
            found.make_context(command, arguments, parent=context)
    named = re.findall(r"^\|.*`(--[a-z-]+)[^`]*` \|$", guide.read_text(encoding="utf-8"), re.MULTILINE)
    export = group.get_command(group.make_context("splot", ["export"]), "export")  # type: ignore[attr-defined]
    assert set(named) <= {option for parameter in export.params for option in parameter.opts}


def test_nbgraders_commands_exist() -> None:
    """So is every `nbgrader` command one of the installed nbgrader's, and an exporter importable."""
    shown = [words for guide in GUIDES for words in commands(guide, "nbgrader")]
    assert {words[0] for words in shown} <= set(NbGraderApp.subcommands)
    exporters = [word.partition("=")[2] for words in shown for word in words if word.startswith("--exporter=")]
    for exporter in exporters:
        module, _, name = exporter.rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_pictures_are_there_and_small(guide: Path) -> None:
    """Each has words for those who do not see it, and less than 300 kB."""
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", guide.read_text(encoding="utf-8"))
    assert all(words for words, _ in pictures)
    assert all((guide.parent / path).stat().st_size < 300_000 for _, path in pictures)
