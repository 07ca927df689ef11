"""A sandbox: its private folders, the paths visible inside it, and its resource limits."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.errors import GraderError
from autograder.engine.files import delete, short_folder
from autograder.engine.report import SandboxKind
from autograder.engine.sandbox.gpu import GPU
from autograder.engine.sandbox.processes import claimed

SANDBOX_UID = 65534
"""The unprivileged host user that a sandbox runs as when the grader is root (`nobody`)."""


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
    """Whether other sandboxes run at the same time; then it is pinned to `cores` cores of its own."""
    file_mb: int = 1024
    """One file."""
    tmp_mb: int = 1024
    """Each of the in-memory file systems: the home directory, /tmp and /dev/shm."""
    outbox_mb: int = 1024
    outbox_files: int = 4096
    open_files: int = 1024

    @property
    def address_mb(self) -> int:
        """Address space of one process: torch with two threads needs 4 GiB before it computes anything.

        With a GPU only what of it is private and writable: CUDA reserves many times the machine's memory, and fills little.
        """
        return max(8192, 2 * self.memory_mb)


@dataclass(frozen=True, slots=True)
class InsidePaths:
    """Paths as the kernel sees them."""

    work: Path
    data: Path
    code: Path
    inbox: Path
    outbox: Path


INSIDE = Path("/splot")
HOME = Path("/home/student")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox's folders and limits; make it with `Sandbox.open`.

    Attributes:
        kind: how the kernel is confined.
        base: private directory (0700) that holds all the others; deleted when the sandbox closes.
        data: folder that the notebook sees as `./data`, read-only; its files must be readable by any user.
        code: packages that the notebook's process may import, read-only: each folder under its name below `InsidePaths.code`.
        limits: what the kernel and its children may use.
        cores: the numbers of those it keeps to; empty where it may use all.
        gpu: the one that it may use, which the caller has locked; bubblewrap only.

    """

    kind: SandboxKind
    base: Path
    data: Path | None
    code: Mapping[str, Path]
    limits: Limits
    cores: tuple[int, ...] = ()
    gpu: GPU | None = None

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
    def inside(self) -> InsidePaths:
        """The sandbox's folders as the kernel sees them."""
        if self.kind is SandboxKind.NONE:
            work = self.work
            return InsidePaths(work, work / "data", self.base / "lib", self.inbox, self.outbox)
        return InsidePaths(HOME, HOME / "data", INSIDE / "lib", INSIDE / "inbox", INSIDE / "outbox")

    def sources(self) -> dict[Path, bytes]:
        """Return the packages' files as they are seen inside: copied, since a mount would tell where the checkout lies."""
        return {
            self.inside.code / name / path.relative_to(folder): path.read_bytes()
            for name, folder in self.code.items()
            for path in sorted(folder.rglob("*.py"))
        }

    def clean(self) -> None:
        """Empty the folders that an ended kernel could write to, so that its files do not count for the next one."""
        for folder in (self.outbox, self.ipc):
            delete(folder)
            _make_writable_inside(folder)

    @classmethod
    @contextmanager
    def open(
        cls,
        kind: SandboxKind,
        *,
        code: Mapping[str, Path],
        data: Path | None = None,
        limits: Limits | None = None,
        gpu: GPU | None = None,
    ) -> "Iterator[Sandbox]":
        """Make a sandbox's folders, and delete them when the block ends.

        Raises:
            GraderError: `data` or one of `code` is not a folder, or no directory with a short enough path can be made.

        """
        for folder in (*code.values(), data):
            if folder is not None and not folder.is_dir():
                raise GraderError(f"The sandbox needs the folder {folder}, which does not exist.")
        base = short_folder("splot-", "ipc/kernel-99")
        limits = limits or Limits()
        try:
            with claimed(limits.cores if limits.shared else 0) as cores:
                sandbox = cls(kind, base, data and data.resolve(), dict(code), limits, cores, gpu)
                _fill(sandbox)
                yield sandbox
        finally:
            delete(base)


def _make_writable_inside(folder: Path) -> None:
    """Make a folder that the sandbox may write to; as root it is given to the user the sandbox runs as."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # the sandbox's user is another, whatever the umask
    if os.geteuid() == 0:
        os.chown(folder, SANDBOX_UID, SANDBOX_UID)


def _fill(sandbox: Sandbox) -> None:
    """Make the folders and files in a new sandbox's base."""
    for folder in (sandbox.inbox, sandbox.work):
        folder.mkdir()
        folder.chmod(0o755)
    for folder in (sandbox.outbox, sandbox.ipc):
        _make_writable_inside(folder)
    sandbox.log.touch(mode=0o600)
    if sandbox.kind is SandboxKind.NONE:
        for path, content in sandbox.sources().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if sandbox.data is not None:
            (sandbox.work / "data").symlink_to(sandbox.data)
    elif sandbox.data is not None and sandbox.data.stat().st_mode & 0o005 != 0o005 and os.geteuid() == 0:
        raise GraderError(f"The sandbox runs without root's rights: let every user read the folder {sandbox.data}.")
