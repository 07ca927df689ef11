"""The second lesson, `tests/lessons/rows`, and `splot` run in a course of it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LESSON = ROOT / "tests" / "lessons" / "rows"
SPLOT = ("-c", "from autograder.cli import main; main()")


def command(course: Path, *arguments: str, code: int = 0) -> str:
    """Run a command in the course's folder and return what it printed."""
    running = begin(course, *arguments)
    printed, said = running.communicate()
    assert running.returncode == code, printed + said
    return printed


def begin(course: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in the course's folder."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=course, env=environment, stdout=pipe, stderr=pipe, text=True
    )
