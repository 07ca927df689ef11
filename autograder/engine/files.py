"""Reads and deletes files that untrusted code made; writes the grader's own files atomically.

Of untrusted files only plain ones are read, within a size limit, and arrays without pickle. Untrusted folders are deleted by
descriptors: whoever deletes by path follows whatever the path leads to at that moment, so that a folder swapped for a link in
between turns `chmod -R` and `rm -rf` against the grader's own files.
"""

import math
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from autograder.engine.errors import EvidenceError, GraderError, SplotError
from autograder.engine.report import Report, encode
from autograder.engine.text import say

if TYPE_CHECKING:  # imported where it is used: commands that read no array need not wait for it
    import numpy as np
    from numpy.typing import NDArray


def open_beneath(root: Path, *parts: str, limit: int) -> BinaryIO:
    """Open a plain file of at most `limit` bytes below `root`; links, pipes and devices are refused on the way.

    `root` is ours and may be trusted; every part below it was named or made by untrusted code.
    """
    where = "/".join(parts)
    if not all(_PART.fullmatch(part) for part in parts):
        raise EvidenceError(
            say(pl=f"{where!r} nie jest nazwą pliku w tym folderze.", en=f"{where!r} names no file below the folder.")
        )
    folder = -1
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            inner = os.open(part, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except OSError as error:
        why = error.strerror
        raise EvidenceError(
            say(pl=f"Pliku {where} nie da się odczytać ({why}).", en=f"{where} cannot be read: {why}.")
        ) from error
    finally:
        if folder >= 0:
            os.close(folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > limit:
        os.close(descriptor)
        raise EvidenceError(
            say(
                pl=f"{where} nie jest zwykłym plikiem, który ma najwyżej {limit} B.",
                en=f"{where} is not a plain file of at most {limit} bytes.",
            )
        )
    return os.fdopen(descriptor, "rb")


_PART = re.compile(r"(?!\.\.?\Z)[^/\0]+")
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened that untrusted code may swap for a link."""
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_beneath(root: Path, *parts: str, limit: int) -> bytes:
    """Read a plain file below `root`; see `open_beneath`."""
    with open_beneath(root, *parts, limit=limit) as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        where = "/".join(parts)
        raise EvidenceError(
            say(
                pl=f"{where} urósł w trakcie czytania powyżej {limit} B.",
                en=f"{where} grew past {limit} bytes while it was read.",
            )
        )
    return raw


def json_values(raw: bytes) -> int:
    """Return an upper bound on the number of values in JSON; each may take 100 bytes in memory."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") < 1_000_000:
        return 1_000_000
    import numpy as np  # noqa: PLC0415 - see above

    text = np.frombuffer(raw.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    outside = ~np.bitwise_xor.accumulate(text == ord('"'))
    return int((((text == ord(",")) | (text == ord("[")) | (text == ord("{"))) & outside).sum())


def parse_array(raw: bytes, name: str) -> "NDArray[Any]":
    """Parse the bytes of a `.npy` file; raises `EvidenceError` unless they are exactly one plain array."""
    import numpy as np  # noqa: PLC0415 - likewise

    view = memoryview(raw)
    try:
        if bytes(view[:8]) not in {b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"}:
            raise EvidenceError(
                say(
                    pl=f"{name} nie jest plikiem .npy w wersji 1 lub 2.",
                    en=f"{name} is not a .npy file of version 1 or 2.",
                )
            )
        width = 2 if view[6] == 1 else 4
        start = 8 + width + int.from_bytes(view[8 : 8 + width], "little")
        shape, fortran, dtype = _header(bytes(view[8 + width : min(start, 8 + width + 10_000)]), name)
        expected = math.prod(shape) * dtype.itemsize
        if len(view) - start != expected:
            held = len(view) - start
            raise EvidenceError(
                say(
                    pl=f"{name} ma {held} B danych, a kształt tablicy wymaga {expected}.",
                    en=f"{name} holds {held} bytes where its shape needs {expected}.",
                )
            )
        return np.frombuffer(view[start:], dtype).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise EvidenceError(
            say(pl=f"{name} nie jest czytelną tablicą: {error}.", en=f"{name} is not a readable array: {error}.")
        ) from error


def _header(raw: bytes, name: str) -> "tuple[tuple[int, ...], bool, np.dtype[Any]]":
    """Read the header's literal without evaluating it: only the three keys NumPy writes, in its own order."""
    import numpy as np  # noqa: PLC0415 - likewise

    match = _HEADER.fullmatch(raw)
    if match is None:
        raise EvidenceError(
            say(
                pl=f"{name} ma inny nagłówek niż zwykła tablica liczb.",
                en=f"{name} has a header that is not that of a plain array of numbers.",
            )
        )
    shape = tuple(int(part) for part in match[3].decode().replace(" ", "").split(",") if part)
    if len(shape) > 8:
        raise EvidenceError(say(pl=f"{name} ma za dużo osi: {len(shape)}.", en=f"{name} has {len(shape)} axes."))
    return shape, match[2] == b"True", np.dtype(match[1].decode())


_SHAPE = rb"\((|\d+,|\d+(?:, \d+)+)\)"
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biuf]\d{1,2})', 'fortran_order': (True|False), 'shape': " + _SHAPE + rb", \} *\n"
)


DELETE_TIMEOUT_S = 60.0
"""How long to keep deleting; the tree may grow as fast as it is deleted."""

_INODE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAUSE_S = 0.01


def delete(path: Path, timeout_s: float = DELETE_TIMEOUT_S) -> bool:
    """Delete `path`, whatever it is, and return whether it is gone; a link is deleted, never followed.

    Untrusted code may have made it and still be changing it, but can neither rename nor replace the folder that it lies in.
    After `timeout_s` seconds the rest is left where it is.
    """
    deadline = time.monotonic() + timeout_s
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        while _exists(path.name, parent) and time.monotonic() < deadline:
            try:
                if stat.S_ISDIR(os.lstat(path.name, dir_fd=parent).st_mode):
                    with opened_folder(path.name, parent) as root:
                        _empty(root, deadline)
                    os.rmdir(path.name, dir_fd=parent)
                else:
                    os.unlink(path.name, dir_fd=parent)
            except OSError:  # it changed meanwhile
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


def _empty(root: int, deadline: float) -> None:
    """Empty a folder; subfolders two levels deep are moved up into it, so that a deep tree needs few descriptors."""
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
    """Unlink everything in a folder except its subfolders, and return their names."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in found if is_folder]


@contextmanager
def opened_folder(name: str, parent: int) -> Iterator[int]:
    """Open a folder to list and change it; its permissions are changed by descriptor, never by name.

    Raises `OSError` if it is gone, or is no longer a folder (a link to a folder included).
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


AS_UMASK_SAYS = 0o666
PRIVATE = 0o600
GROUP_FILE = 0o660
GROUP_FOLDER = stat.S_ISGID | 0o770
"""What nbgrader gives a folder of a course whose `groupshared` is set."""


def write_report(report: Report, folder: Path) -> Path:
    """Write `report.json` into `folder` and return its path."""
    return write_whole(folder / "report.json", encode(report))


def write_whole(path: Path, content: bytes, mode: int = AS_UMASK_SAYS) -> Path:
    """Write a file atomically, by a temporary file and a rename; raises `SplotError`.

    The group may read and write it too where the folder is shared with it (see `share_with_group`), unless it is
    `PRIVATE`.
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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
    except OSError as error:
        raise SplotError(f"{path} cannot be written ({error.strerror}); choose another place.") from error
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
    """Sync a folder, so that renames and removals in it survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


SOCKET_PATH_LIMIT = 107
"""Bytes that a UNIX socket's path may have (sys/un.h: 108 with the closing zero)."""


def short_folder(prefix: str, socket: str) -> Path:
    """Make a private temporary folder whose path is so short that a socket may lie at `socket` below it."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private one in it
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).resolve()
        if len(os.fsencode(folder / socket)) <= SOCKET_PATH_LIMIT:
            return folder
        folder.rmdir()
    raise GraderError("No temporary directory has a path short enough for a socket; set TMPDIR to a short one.")
