"""Write a report to disk: whole or not at all, and readable by whom it should be."""

import os
import secrets
import stat
from pathlib import Path

from autograder.errors import SplotError
from autograder.report import Report, encode

AS_UMASK_SAYS = 0o666
PRIVATE = 0o600
GROUP_FILE = 0o660
GROUP_FOLDER = stat.S_ISGID | 0o770
"""What nbgrader gives a folder of a course whose `groupshared` is set."""


def write_report(report: Report, folder: Path) -> Path:
    """Write `report.json` into `folder` and return its path."""
    return write_whole(folder / "report.json", encode(report))


def write_whole(path: Path, content: bytes, mode: int = AS_UMASK_SAYS) -> Path:
    """Write a file aside and rename it into place, so that nobody ever reads half of it; raises `SplotError`.

    The group may read and write it too where the folder is shared with it (see `share_with_group`), unless it is
    `PRIVATE`.
    """
    try:
        return _write(path, content, mode)
    except OSError as error:
        raise SplotError(f"{path} cannot be written ({error.strerror}); choose another place.") from error


def _write(path: Path, content: bytes, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if mode != PRIVATE and path.parent.stat().st_mode & GROUP_FOLDER == GROUP_FOLDER:
                os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode | GROUP_FILE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)
    return path


def share_with_group(folder: Path) -> None:
    """Let the folder's group read and write in it; raises `OSError` where it is another user's and not shared yet."""
    if folder.stat().st_mode & GROUP_FOLDER != GROUP_FOLDER:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | GROUP_FOLDER)


def make_private(folder: Path, below: Path) -> None:
    """Make a folder, and those between it and `below`, which nobody but the grader's user may look into."""
    for part in folder.relative_to(below).parts:
        below /= part
        below.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash of the machine: a rename or removal is the folder's content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
