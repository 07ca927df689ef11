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
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
