"""Where a run keeps what is temporary, and how none of it stays behind, whoever was killed."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "splot-run-"
PATIENCE_S = 5.0


@contextmanager
def run_folder() -> Iterator[Path]:
    """Make a run's private folder, locked while the run lives; what runs that were killed left is tidied up first."""
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(left):
            tidy(left)
    run = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    with _locked(run):
        try:
            yield run
        finally:
            tidy(run)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder of our own; raises `OSError` where another run holds it, or it is not ours."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def tidy(folder: Path) -> None:
    """Delete a tree that hostile code had its hands on and may for a moment still have: its sandbox is just ending.

    coreutils' `rm` walks a tree that is thousands of levels deep, where `shutil.rmtree` recurses.
    """
    deadline = time.monotonic() + PATIENCE_S
    while folder.exists() and time.monotonic() < deadline:
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            with suppress(OSError):  # no such program on this PATH
                subprocess.run([*command, "--", str(folder)], check=False, stderr=subprocess.DEVNULL)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)
