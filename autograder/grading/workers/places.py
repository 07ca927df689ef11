"""Where a run keeps what is temporary, and how none of it stays behind, whoever was killed."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autograder.deletion import delete

PREFIX = "splot-run-"


@contextmanager
def run_folder() -> Iterator[Path]:
    """Make a run's private folder, locked while the run lives; what runs that were killed left is tidied up first."""
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(left):
            delete(left)
    run = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    with _locked(run):
        try:
            yield run
        finally:
            delete(run)


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
