"""Write a report to disk: whole or not at all."""

import os
import tempfile
from pathlib import Path

from autograder.errors import SplotError
from autograder.report import Report, encode


def write_report(report: Report, folder: Path) -> Path:
    """Write `report.json` into `folder` and return its path."""
    return write_whole(folder / "report.json", encode(report))


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file aside and rename it into place, so that nobody ever reads half of it; raises `SplotError`."""
    try:
        return _write(path, content)
    except OSError as error:
        raise SplotError(f"{path} cannot be written ({error.strerror}); choose another place.") from error


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
        sync_folder(path.parent)
    finally:
        Path(aside).unlink(missing_ok=True)
    return path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash of the machine: a rename or removal is the folder's content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
