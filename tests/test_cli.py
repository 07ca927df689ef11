"""The command: one clear sentence and exit code 2 for the user's mistake, reports for everything else."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from autograder.cli import app, exit_code
from autograder.engine.files import write_report
from autograder.engine.report import Outcome, Profile, Report

SPLOT = [sys.executable, "-c", "from autograder.cli import main; main()"]
ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RELEASE = ROOT / "release" / "cnn" / "cnn.ipynb"


def splot(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run([*SPLOT, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_a_path_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    """No traceback: what, where, what to do; exit 2."""
    done = splot("grade", "nowhere.ipynb", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("splot: nowhere.ipynb does not exist")
    assert "Traceback" not in done.stdout + done.stderr


BROKEN = {
    "empty": (b"", "is empty"),
    "truncated": (b'{"cells": [', "truncated"),
    "latin": ('{"a": "ż"}'.encode("latin2"), "not UTF-8"),
    "json": (b"[1, 2]", "not a Jupyter notebook"),
}


def test_files_that_are_no_notebooks_are_ungraded_each_with_its_reason(tmp_path: Path) -> None:
    """Each broken file gets its report and its sentence; the class goes on; exit 2; JUnit and JSON are written."""
    for name, (content, _) in BROKEN.items():
        path = tmp_path / "submitted" / name / "cnn" / "cnn.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    done = splot(
        "grade", "submitted", "-j", "2", "--lang", "en", "--json", "all.json", "--junit", "all.xml", folder=tmp_path
    )
    assert done.returncode == 2, done.stderr
    reports = {report["student"]: report for report in json.loads((tmp_path / "all.json").read_text())}
    for name, (_, reason) in BROKEN.items():
        assert reports[name]["status"] == "ungraded"
        assert reason in reports[name]["reason"]
        assert (tmp_path / "graded" / name / "cnn" / "report.json").is_file()
    assert (tmp_path / "all.xml").read_text().count("<error") == len(BROKEN)


def test_what_is_printed_is_no_command_to_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its runners all that is printed stands between two lines that nobody can foresee; elsewhere they are not there."""
    (tmp_path / "cnn.ipynb").write_text("##[error]forged")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    plain = splot("check", "cnn.ipynb", folder=tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    runs = [splot("check", "cnn.ipynb", folder=tmp_path) for _ in range(2)]
    tokens = {run.stdout.splitlines()[0].removeprefix("::stop-commands::") for run in runs}
    assert len(tokens) == 2
    assert {run.stdout for run in runs} == {f"::stop-commands::{t}\n{plain.stdout}::{t}::\n" for t in tokens}
    assert {run.returncode for run in runs} == {plain.returncode} == {2}


def test_two_notebooks_of_one_name_are_refused(tmp_path: Path) -> None:
    """Nothing is overwritten: two that would go to one folder are named, and nothing is graded."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "work.ipynb").write_text("{}")
    done = splot("grade", "a/work.ipynb", "b/work.ipynb", folder=tmp_path)
    assert done.returncode == 2
    assert "a/work.ipynb and b/work.ipynb" in done.stderr


def test_judging_where_nothing_was_graded_is_one_sentence(tmp_path: Path) -> None:
    """`splot judge` says where evidence comes from."""
    done = splot("judge", str(tmp_path), folder=tmp_path)
    assert (done.returncode, "splot grade" in done.stderr) == (2, True)


def test_doctor_finds_this_machine_well() -> None:
    """Everything that grading needs is here, and each line says what was found."""
    done = splot("doctor", folder=Path.cwd())
    assert done.returncode == 0, done.stdout
    assert "✓ FashionMNIST: 10000 test images." in done.stdout


@pytest.mark.parametrize(
    ("scores", "fail_under", "code"),
    [
        ([100.0, 50.0], None, 0),
        ([100.0, 50.0], 50, 0),
        ([100.0, 50.0], 60, 1),
        ([None, 100.0], None, 2),
        ([None, 1.0], 50, 2),
    ],
)
def test_exit_codes(scores: list[float | None], fail_under: float | None, code: int) -> None:
    """0 graded, 1 something below --fail-under, 2 something not graded; the worst of them."""
    assert exit_code([_report(score) for score in scores], fail_under) == code


def _report(percent: float | None) -> Report:
    return Report(
        submission="x",
        student="x",
        assignment="cnn",
        profile=Profile.QUICK,
        dataset=None,
        sandbox="bwrap",
        status=Outcome.UNGRADED if percent is None else Outcome.GRADED,
        score=percent,
        max_score=100,
    )


SLOW = ("torch", "numpy", "nbformat", "jsonschema", "IPython", "jupyter_client")
"""What takes a command's start a tenth of a second or more."""


def _loaded(code: str, modules: Sequence[str]) -> set[str]:
    """Return which of the modules a new Python has loaded after some code."""
    code = f"import sys\ntry:\n    {code}\nfinally:\n    print(*{set(modules)!r} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {*done.stderr.split()}


def test_a_command_starts_without_what_is_slow_to_import() -> None:
    """`splot --help` waits for nothing that runs, reads or draws anything."""
    code = "sys.argv = ['splot', '--help']; from autograder.cli import main; main()"
    assert _loaded(code, [*SLOW, "rich.console", "jinja2"]) == set()


def test_a_notebook_is_checked_without_what_is_slow_to_import(tmp_path: Path) -> None:
    """`splot check` of a notebook of today's format needs neither nbformat nor IPython."""
    shutil.copy(RELEASE, tmp_path / "cnn.ipynb")
    code = f"sys.argv = ['splot', 'check', {str(tmp_path / 'cnn.ipynb')!r}]; from autograder.cli import main; main()"
    assert _loaded(code, SLOW) == set()


def test_a_class_page_is_written_without_torch(tmp_path: Path) -> None:
    """`splot report` reads reports and draws pages; it runs nothing."""
    folder = tmp_path / "ola" / "cnn"
    folder.mkdir(parents=True)
    write_report(_report(50), folder)
    code = f"sys.argv = ['splot', 'report', {str(tmp_path)!r}]; from autograder.cli import main; main()"
    assert _loaded(code, ["torch", "nbformat", "IPython", "jupyter_client"]) == set()
    assert (tmp_path / "class.html").exists()


def test_nbformat_comes_without_the_grammar_of_addresses() -> None:
    """They are not compiled, and nothing stays hidden from others."""
    assert _loaded("import autograder, nbformat", ["lark", "arrow", "rfc3987_syntax"]) == set()
    assert _loaded("import autograder, nbformat, rfc3987_syntax", ["lark"]) == {"lark"}


def test_readme_commands_exist() -> None:
    """Every `splot …` command and option that README shows is one the command has."""
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    text = README.read_text(encoding="utf-8")
    used = set(re.findall(r"^\$? ?splot ([a-z]+)", text, re.MULTILINE))
    assert used
    assert used <= known
    options = subprocess.run([*SPLOT, "grade", "--help"], capture_output=True, text=True, check=True).stdout
    shown = re.findall(r"^splot grade.*$", text, re.MULTILINE)
    assert {option for line in shown for option in re.findall(r"--[a-z-]+", line) if option not in options} == set()


def test_the_map_of_files_is_true() -> None:
    """The map of the house states each file and its size as they are."""
    script = README.parent / "tools" / "file_map.py"
    assert subprocess.run([sys.executable, str(script), "--check"], check=False).returncode == 0
