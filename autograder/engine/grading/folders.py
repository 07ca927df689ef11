"""Locks a student's results folder for one grader at a time, and manages a run's temporary files.

What an earlier run published is withdrawn before anything is graded anew; temporary files are deleted even if a process was
killed.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.evidence import delete_evidence, is_evidence_of
from autograder.engine.files import delete, share_with_group, short_folder, sync_folder, write_report
from autograder.engine.grading.task import GradingTask
from autograder.engine.notebook import submitted_bytes
from autograder.engine.report import FEEDBACK_FILE, Report

PUBLISHED = ("report.json", FEEDBACK_FILE)


class BusyError(GraderError):
    """Another grader is using the folder; its files must not be touched."""


@contextmanager
def lock_student_folder(folder: Path, *, group: bool = False) -> Iterator[None]:
    """Lock a student's folder, creating it if needed.

    With `group` the folder's group may read and write what is published there.

    The lock is the kernel's: it ends with the process, however that ends. Raises `BusyError` where another grader holds
    it, `OSError` where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for shared in (folder, folder.parent, folder.parent.parent) if group else ():
        with suppress(PermissionError):  # the permissions of another user's folder stay as they are
            share_with_group(shared)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"Another grader is at work in {folder}; let it end, then grade again.") from error
        except OSError:  # a file system without locks on folders, such as NFS: better graded without than not at all
            pass
        yield
    finally:
        os.close(descriptor)


def withdraw_report(folder: Path) -> None:
    """Delete what an earlier run published in a locked folder; raises `OSError` where it cannot be deleted."""
    for name in PUBLISHED:
        for path in (folder / name, *folder.glob(f".{name}-*")):  # and temporary files of a killed grader
            path.unlink(missing_ok=True)
    sync_folder(folder)


def publish_ungraded(task: GradingTask, reason: str) -> Report:
    """Write and return the report that a task is ungraded, with the reason; if it cannot be written, only return it.

    Where a notebook was to be graded, evidence that is not of it is deleted; evidence of it may be judged again.
    """
    report = task.ungraded(reason)
    folder = Path(task.directory, task.folder)
    with suppress(SplotError, OSError), lock_student_folder(folder, group=task.how.group):
        withdraw_report(folder)
        write_report(report, folder)
        if not (task.stored or _is_of_notebook(folder / "evidence", task)):
            delete_evidence(folder / "evidence")
    return report


def _is_of_notebook(evidence: Path, task: GradingTask) -> bool:
    with suppress(SplotError, OSError):
        content = submitted_bytes(Path(task.directory, task.notebook), task.assignment.name)
        return is_evidence_of(evidence, hashlib.sha256(content).hexdigest())
    return False


PREFIX = "splot-run-"


@contextmanager
def run_folder() -> Iterator[Path]:
    """Make a run's private folder, locked until the run ends; first delete the folders of runs that were killed."""
    run = short_folder(PREFIX, "9999/splot-12345678/ipc/kernel-99")
    with _locked(run):
        for left in run.parent.glob(f"{PREFIX}*"):
            delete_left(left)
        try:
            yield run
        finally:
            delete(run)


def delete_left(run: Path) -> None:
    """Delete the folder of a run that has ended; one that lives, or is another user's, stays."""
    with suppress(OSError), _locked(run):
        delete(run)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder; raises `OSError` if another run has locked it, or another user owns it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
