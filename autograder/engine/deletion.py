"""Delete a tree that hostile code made, even while that code still runs and changes it.

Whoever deletes by path follows whatever the path leads to at that moment: a folder swapped for a link in between turns
`chmod -R` and `rm -rf` against the grader's own files. So everything below is reached by descriptors of folders, opened
without following links: what they name lies in the tree, whatever it is called by now.
"""

import os
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 60.0
"""How long to go on; the tree may grow as fast as it is deleted."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_INODE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAUSE_S = 0.01


def delete(path: Path, patience_s: float = PATIENCE_S) -> bool:
    """Delete `path`, whatever it is, and return whether it is gone; a link is deleted, never followed.

    Args:
        path: hostile code may have made it, but can neither rename nor replace the folder that it lies in.
        patience_s: seconds after which the rest is left where it is.

    """
    deadline = time.monotonic() + patience_s
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        while _exists(path.name, parent) and time.monotonic() < deadline:
            try:
                _remove(path.name, parent, deadline)
            except OSError:  # it changed under our hands
                time.sleep(_PAUSE_S)
        return not _exists(path.name, parent)
    finally:
        os.close(parent)


def _exists(name: str, folder: int) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _remove(name: str, parent: int, deadline: float) -> None:
    if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
        with opened_folder(name, parent) as root:
            _empty(root, deadline)
        os.rmdir(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)


def _empty(root: int, deadline: float) -> None:
    """Empty a folder. What lies two levels deep is moved up into it, so that no depth takes many descriptors."""
    number = 0
    while folders := _unlink_files(root):
        for folder in folders:
            with opened_folder(folder, root) as inner:
                for nested in _unlink_files(inner):
                    number = _move_up(nested, inner, root, number)
            os.rmdir(folder, dir_fd=root)
            if time.monotonic() > deadline:
                raise TimeoutError


def _move_up(name: str, folder: int, root: int, number: int) -> int:
    """Move a folder into `root` under the next number that is free there, and return that number."""
    while _exists(str(number := number + 1), root):
        pass
    with opened_folder(name, folder):  # moving a folder takes the right to write to it
        os.rename(name, str(number), src_dir_fd=folder, dst_dir_fd=root)
    return number


def _unlink_files(folder: int) -> list[str]:
    """Unlink all of a folder but its folders, and return their names."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in found if is_folder]


@contextmanager
def opened_folder(name: str, parent: int) -> "Iterator[int]":
    """Open a folder to list and change it; its permissions are widened on what is open, not on what bears its name.

    Raises:
        OSError: it is gone, or no folder any more, a link to one included.

    """
    inode = os.open(name, _INODE, dir_fd=parent)
    try:
        if os.fstat(inode).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{inode}", stat.S_IRWXU)  # noqa: PTH101 - fchmod refuses such a descriptor
        folder = os.open(".", FOLDER, dir_fd=inode)
    finally:
        os.close(inode)
    try:
        yield folder
    finally:
        os.close(folder)
