"""A room: the private directories of one sandboxed kernel, what is bound into it, and what it may use."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.engine.deletion import delete
from autograder.engine.errors import GraderError
from autograder.engine.sandbox.processes import claimed

if TYPE_CHECKING:
    from collections.abc import Iterator

SANDBOX_UID = 65534
"""The unprivileged host user that a sandbox runs as when the grader is root (`nobody`)."""

SOCKET_PATH_LIMIT = 107
"""Bytes that a UNIX socket's path may have (sys/un.h: 108 with the closing zero)."""


class SandboxKind(StrEnum):
    """What stands between student code and the machine."""

    BWRAP = "bwrap"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use; time is the caller's to limit. Sizes are in MiB."""

    memory_mb: int = 4096
    """The whole process tree and its in-memory file systems together."""
    processes: int = 256
    """Processes and threads."""
    cores: int = 2
    """Threads that OpenMP, MKL and torch start with."""
    shared: bool = False
    """Other sandboxes run beside this one: it keeps to `cores` cores of its own."""
    file_mb: int = 1024
    """One file."""
    tmp_mb: int = 1024
    """Each of the in-memory file systems: the home directory, /tmp and /dev/shm."""
    outbox_mb: int = 1024
    outbox_files: int = 4096
    open_files: int = 1024

    @property
    def address_mb(self) -> int:
        """Address space of one process: torch with two threads needs 4 GiB before it computes anything."""
        return max(8192, 2 * self.memory_mb)


@dataclass(frozen=True, slots=True)
class View:
    """Paths as the kernel sees them."""

    work: Path
    data: Path
    code: Path
    inbox: Path
    outbox: Path


INSIDE = Path("/splot")
HOME = Path("/home/student")


@dataclass(frozen=True, slots=True)
class Room:
    """One sandbox's place on this machine; make it with `Room.open`.

    Attributes:
        kind: how the kernel is confined.
        base: private directory (0700) that holds all of the room's others; gone when the room closes.
        data: folder that the notebook sees as `./data`, read-only; its files must be readable by any user.
        code: packages that the notebook's process may import, read-only: each folder by where it is seen below `View.code`.
        limits: what the kernel and its children may use.
        cores: the numbers of those it keeps to; empty where it may use all.

    """

    kind: SandboxKind
    base: Path
    data: Path | None
    code: Mapping[str, Path]
    limits: Limits
    cores: tuple[int, ...] = ()

    @property
    def inbox(self) -> Path:
        """The host writes, the sandbox reads."""
        return self.base / "inbox"

    @property
    def outbox(self) -> Path:
        """The sandbox writes, the host reads: whatever lies here is untrusted, links and FIFOs included."""
        return self.base / "outbox"

    @property
    def ipc(self) -> Path:
        """ZeroMQ's sockets, made by the kernel, and nothing else."""
        return self.base / "ipc"

    @property
    def work(self) -> Path:
        """The working directory of a kernel that is not confined."""
        return self.base / "work"

    @property
    def log(self) -> Path:
        """What the kernel's process wrote outside any cell, bubblewrap's complaints included; untrusted."""
        return self.base / "kernel.log"

    @property
    def inside(self) -> View:
        """The room's folders as the kernel sees them."""
        if self.kind is SandboxKind.NONE:
            work = self.work
            return View(work, work / "data", self.base / "lib", self.inbox, self.outbox)
        return View(HOME, HOME / "data", INSIDE / "lib", INSIDE / "inbox", INSIDE / "outbox")

    def sources(self) -> dict[Path, bytes]:
        """Return the packages' files as they are seen inside: copied, since a mount would tell where the checkout lies."""
        return {
            self.inside.code / name / path.relative_to(folder): path.read_bytes()
            for name, folder in self.code.items()
            for path in sorted(folder.rglob("*.py"))
        }

    def clean(self) -> None:
        """Empty what a sandbox that has ended could write to, so that the next one does not pay for it."""
        for folder in (self.outbox, self.ipc):
            delete(folder)
            _own(folder)

    @classmethod
    @contextmanager
    def open(
        cls,
        kind: SandboxKind,
        *,
        code: Mapping[str, Path],
        data: Path | None = None,
        limits: Limits | None = None,
    ) -> "Iterator[Room]":
        """Make a room's directories, and delete them whatever happened.

        Raises:
            GraderError: `data` or one of `code` is not a folder, or no directory with a short enough path can be made.

        """
        for folder in (*code.values(), data):
            if folder is not None and not folder.is_dir():
                raise GraderError(f"The sandbox needs the folder {folder}, which does not exist.")
        base = _private_directory()
        limits = limits or Limits()
        try:
            with claimed(limits.cores if limits.shared else 0) as cores:
                room = cls(kind, base, data and data.resolve(), dict(code), limits, cores)
                _furnish(room)
                yield room
        finally:
            delete(base)


def _own(folder: Path) -> None:
    """Make a folder that the sandbox may write to; as root it is given to the user the sandbox runs as."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # the sandbox's user is another, whatever the umask
    if os.geteuid() == 0:
        os.chown(folder, SANDBOX_UID, SANDBOX_UID)


def _private_directory() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private one in it
        base = Path(tempfile.mkdtemp(prefix="splot-", dir=parent)).resolve()
        if len(os.fsencode(base / "ipc" / "kernel-99")) <= SOCKET_PATH_LIMIT:
            return base
        base.rmdir()
    raise GraderError("No temporary directory has a path short enough for a socket; set TMPDIR to a short one.")


def _furnish(room: Room) -> None:
    for folder in (room.inbox, room.work):
        folder.mkdir()
        folder.chmod(0o755)
    for folder in (room.outbox, room.ipc):
        _own(folder)
    room.log.touch(mode=0o600)
    if room.kind is SandboxKind.NONE:
        for path, content in room.sources().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if room.kind is SandboxKind.NONE and room.data is not None:
        (room.work / "data").symlink_to(room.data)
    closed = room.data is not None and room.data.stat().st_mode & 0o005 != 0o005
    if closed and room.kind is SandboxKind.BWRAP and os.geteuid() == 0:
        raise GraderError(f"The sandbox runs without root's rights: let every user read the folder {room.data}.")
