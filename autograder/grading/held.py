"""One grader at a time in a student's folder, and nothing in it of an earlier run that could pass for this one's."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autograder.errors import GraderError, SplotError
from autograder.grading.task import Task
from autograder.report import Report
from autograder.wholefile import sync_folder, write_report

PUBLISHED = ("report.json", "feedback.html")


class BusyError(GraderError):
    """Another grader is at work in the folder; what it writes there is not to be touched."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a student's folder, made where it is not there, and withdraw the report that an earlier run left in it.

    The lock is the kernel's: it ends with the process, however that ends. Raises `BusyError` where another grader holds
    it, `OSError` where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        for name in PUBLISHED:
            for path in (folder / name, *folder.glob(f".{name}-*")):  # and what a killed grader was about to rename
                path.unlink(missing_ok=True)
        sync_folder(folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(f"Another grader is at work in {folder}; let it end, then grade again.") from error
    except OSError:  # a file system without locks on folders, such as NFS: better graded without than not at all
        return


def set_aside(task: Task, reason: str) -> Report:
    """Publish, and return, that a task is ungraded for this reason; where nothing can be written, only return it."""
    report = task.ungraded(reason)
    folder = Path(task.directory, task.folder)
    with suppress(SplotError, OSError), held(folder):
        write_report(report, folder)
    return report
