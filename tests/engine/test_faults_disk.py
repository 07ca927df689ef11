"""A disk that is full or read-only, for real: a small file system mounted in a mount namespace of the test's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, done, task
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.engine.small_disk import MOUNTED, UNSHARE

pytestmark = [
    needs_bubblewrap,
    pytest.mark.skipif(
        MOUNTED.returncode != 0, reason="nothing may be mounted here, not even in a namespace of one's own"
    ),
]
HEAD = """
import contextlib, json, os, shutil, subprocess, sys
from pathlib import Path
from autograder.engine.grading.task import Grading
from tests.engine.interrupted_runs import CHEAP, again, done, task

disk = Path("/mnt")  # a short path: sockets lie below it
mount = lambda *options: subprocess.run(["mount", *options, str(disk)], check=True)
mount("-t", "tmpfs", "-o", "size=8m", "none")
"""
JUDGED = (
    HEAD
    + """
folder = disk / "ola" / "cnn"
shutil.copytree(sys.argv[1], folder / "evidence")

def judged():
    report = done(again(folder, Grading(Path())))
    return report.status, report.score, report.reason, sorted(path.name for path in folder.iterdir())

(folder / "report.json").write_text("an earlier run's")
with (disk / "full").open("wb", 0) as file, contextlib.suppress(OSError):
    while file.write(bytes(4096)):
        pass
full = judged()
mount("-o", "remount,ro")
read_only = judged()
mount("-o", "remount,rw")
(disk / "full").unlink()
print(json.dumps([full, read_only, judged()]))
"""
)
COLLECTED = (
    HEAD
    + """
os.environ["TMPDIR"] = str(disk)
report = done(task(CHEAP, Path(sys.argv[1])))
print(json.dumps([report.status, report.score, report.reason]))
"""
)


def on_a_small_disk(script: str, argument: Path) -> list[Any]:
    """Run a script that mounts 8 MB, and return what it printed."""
    command = [*UNSHARE, sys.executable, "-c", script, str(argument)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: list[Any] = json.loads(ended.stdout)
    return found


def test_a_report_that_cannot_be_written_is_not_half_there(tmp_path: Path) -> None:
    """On a full disk, or one that is read-only: ungraded, one sentence that says what to do, no report of an earlier run.

    With room again the same evidence is judged.
    """
    cheap = task(CHEAP, tmp_path)
    report = done(cheap)
    assert report.score == CHEAP_POINTS
    full, read_only, mended = on_a_small_disk(JUDGED, cheap.folder / "evidence")
    written = "/mnt/ola/cnn/report.json"
    assert full == [
        "ungraded",
        None,
        f"{written} cannot be written (No space left on device); choose another place.",
        ["evidence"],
    ]
    assert read_only[:2] == ["ungraded", None]
    assert "Read-only file system" in read_only[2]
    assert mended == ["graded", CHEAP_POINTS, None, ["evidence", "feedback.html", "report.json"]]


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0, reason="within a user namespace of one's own there is no other user to become")
def test_evidence_that_finds_no_room_is_our_fault(tmp_path: Path) -> None:
    """Where the disk for what is temporary is full, what the probe could not write is no student's loss."""
    found = on_a_small_disk(COLLECTED, tmp_path)
    assert found[:2] == ["ungraded", None]
    assert "is full: make room, then grade again" in str(found[2])
