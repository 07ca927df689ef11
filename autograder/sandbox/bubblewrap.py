"""Bubblewrap's arguments for one room.

Every room is one bubblewrap, started by an unprivileged user: new namespaces of every kind, an empty root, read-only
Python. A grader that is root puts another stage around it (`outer_stage`).
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox.arguments import Arguments
from autograder.sandbox.installation import SYSTEM_FILES, USR, installation
from autograder.sandbox.outer_stage import DROP_ROOT, outer_stage
from autograder.sandbox.room import HOME, INSIDE, Room
from autograder.sandbox.seccomp import filter_program

INSIDE_UID = 1000
CONNECTION_FILE = INSIDE / "connection.json"
IPC = INSIDE / "ipc"
MIB = 2**20

ETC = {
    "/etc/passwd": f"student:x:{INSIDE_UID}:{INSIDE_UID}:student:{HOME}:/bin/sh\n",
    "/etc/group": f"student:x:{INSIDE_UID}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


@dataclass(frozen=True, slots=True)
class Entrance:
    """A command line that starts something in a room, and the descriptors it must inherit."""

    argv: tuple[str, ...]
    descriptors: tuple[int, ...]


@contextmanager
def entrance(
    room: Room, command: Sequence[str], environment: dict[str, str], connection: bytes = b""
) -> Iterator[Entrance]:
    """Open the way into `room` for `command`; start it before the context ends, with next to no environment.

    Args:
        room: the room; its directories exist.
        command: argument list, in paths as seen inside.
        environment: all that the command's environment will hold.
        connection: content of the kernel's connection file (`CONNECTION_FILE`).

    """
    with ExitStack() as stack:
        inner = _inner(stack, room, environment, connection)
        argv = [*inner.sealed(), "--", *_limited(room), *command]
        descriptors = inner.descriptors
        if os.geteuid() == 0:
            outer = outer_stage(stack, room)
            argv = [*outer.sealed(), "--", *DROP_ROOT, *argv]
            descriptors = descriptors + outer.descriptors
        if room.cores:
            argv = ["taskset", "--cpu-list", ",".join(map(str, room.cores)), *argv]
        yield Entrance((shutil.which(argv[0]) or argv[0], *argv[1:]), tuple(descriptors))


def _inner(stack: ExitStack, room: Room, environment: dict[str, str], connection: bytes) -> Arguments:
    args = Arguments(stack)
    args.add("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session")
    args.add("--uid", INSIDE_UID, "--gid", INSIDE_UID, "--hostname", "splot", "--cap-drop", "ALL", "--clearenv")
    for name, value in environment.items():
        args.add("--setenv", name, value)
    _system(args)
    _memory_file_systems(args, room)
    _python(args)  # after the file systems in memory: a Python below /tmp must not disappear under one
    _room(args, room, connection)
    if (program := filter_program()) is not None:
        args.add("--seccomp", args.memory(program))
    # Bubblewrap's own root and /dev are tmpfs of half the machine's memory: nothing may be written there.
    args.add("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", room.inside.work)
    return args


def _system(args: Arguments) -> None:
    for folder in USR:
        merged = Path("/") / folder.name
        if folder.is_dir():
            args.add("--ro-bind", folder.resolve(), folder)
        if merged.is_symlink():
            args.add("--symlink", f"usr/{folder.name}", merged)
        elif merged.is_dir():
            args.add("--ro-bind", merged, merged)
    for path in SYSTEM_FILES:
        if path.exists():
            args.add("--ro-bind", path.resolve(), path)
    for name, content in ETC.items():
        args.file(name, content.encode())
    # A shared mapping of /dev/zero is memory that no process's size shows; /dev/full reads alike and cannot be mapped.
    args.add("--proc", "/proc", "--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero")


def _python(args: Arguments) -> None:
    python = installation()
    for tree in python.trees:
        args.add("--ro-bind", tree.resolve(), tree)
    for folder in python.covered_folders:
        args.add("--perms", "0555", "--size", 4096, "--tmpfs", folder, "--remount-ro", folder)
    for path in python.covered_files:
        args.file(path, b"")


def _memory_file_systems(args: Arguments, room: Room) -> None:
    size = room.limits.tmp_mb * MIB
    args.add("--perms", "0755", "--size", size, "--tmpfs", HOME)
    for shared in ("/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        args.add("--perms", "1777", "--size", size, "--tmpfs", shared)


def _room(args: Arguments, room: Room, connection: bytes) -> None:
    inside = room.inside
    if room.data is not None:
        args.add("--ro-bind", room.data, inside.data)
    for path in sorted(room.probe.rglob("*.py")):  # as data: a mount would tell where the checkout lies
        args.file(inside.probe / path.relative_to(room.probe), path.read_bytes())
    args.add("--ro-bind", room.inbox, inside.inbox)
    args.add("--bind", room.outbox, inside.outbox, "--bind", room.ipc, IPC)
    args.file(CONNECTION_FILE, connection)


def _limited(room: Room) -> list[str]:
    """Limits set inside: RLIMIT_NPROC set outside would count a neighbour's processes too."""
    limits = room.limits
    return [
        "prlimit",
        f"--nproc={limits.processes}",
        f"--as={limits.address_mb * MIB}",
        f"--fsize={limits.file_mb * MIB}",
        f"--nofile={limits.open_files}",
        "--core=0",
        "--",
    ]
