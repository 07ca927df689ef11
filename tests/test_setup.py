"""What a fresh machine lacks: it costs what needs it, and is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.engine.sandbox.seccomp import filter_program

ROOT = Path(__file__).resolve().parent.parent
APT = """#!/bin/sh
case "$*" in *chromium*) exit 100 ;; esac
echo "$@" >>"$LOG"
"""
ROOTS_ID = "#!/bin/sh\necho 0\n"
NOTHING_INSTALLED = "#!/bin/sh\nexit 1\n"


def test_a_package_that_a_release_lacks_costs_no_other(tmp_path: Path) -> None:
    """Ubuntu has no `chromium`: the others are installed all the same, and what is left is named."""
    for name, content in (("apt-get", APT), ("id", ROOTS_ID), ("dpkg-query", NOTHING_INSTALLED)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "LOG": str(log)}
    command = ["sh", str(ROOT / "tools" / "apt.sh"), str(ROOT / "apt.txt")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    installed = [line.split()[-1] for line in log.read_text().splitlines() if line.startswith("install")]
    assert {*installed, "chromium"} == set((ROOT / "apt.txt").read_text().split())
    assert done.stderr == "Could not install chromium; please do:  sudo apt-get install chromium\n"


def test_a_binding_that_is_not_there_is_a_filter_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyseccomp there is no filter and no traceback: `splot doctor` says so, and grading refuses."""
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    assert filter_program.__wrapped__() is None


def test_a_remedy_can_be_copied() -> None:
    """`splot doctor` says each thing on one line, however narrow the terminal."""
    command = [sys.executable, "-c", "from autograder.cli import main; main()", "doctor"]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "30"}, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if not line.startswith("::")]
    assert all(line[:2] in {"✓ ", "✗ ", "– "} for line in found)
    assert max(map(len, found)) > 30
