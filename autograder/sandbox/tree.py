"""A process and its descendants, as this machine's /proc shows them, and the memory they hold."""

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
INODE_BYTES = 1024
"""Kernel memory behind one file of a tmpfs, beside its content: about a kilobyte."""

TEMPORARY = ("tmp", "dev/shm", "home/student")
"""In-memory file systems of a room, relative to its root."""


def descendants(pid: int) -> list[int]:
    """`pid` and all that descends from it, parents first. What ends meanwhile is left out.

    A process that forks twice becomes a child of its pid namespace's first process, so it stays a descendant.
    """
    found = [pid]
    for parent in found:
        found += _children(parent)
    return found


def _children(pid: int) -> Iterator[int]:
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            yield from map(int, (task / "children").read_text("ascii").split())
    except OSError:  # it ended while we looked
        return


def memory_in_use(pid: int, limit: int) -> int:
    """Bytes that a tree holds: its resident pages and its in-memory file systems.

    Resident sizes count a shared page once for each process; they are quick to read. Only when their sum passes
    `limit` are proportional sizes read, which count it once in all (about 10 ms for a large process).
    """
    tree = descendants(pid)
    files = _temporary_bytes(tree)
    quick = files + sum(map(_resident, tree))
    if quick <= limit:
        return quick
    return files + sum(map(_proportional, tree))


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text("ascii").split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()
    except PermissionError:
        return _resident(pid)
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _temporary_bytes(tree: list[int]) -> int:
    """Sum what lies in the tree's own tmpfs; 0 where they cannot be seen, and then only their sizes bound them."""
    host = Path("/").stat().st_dev
    for pid in reversed(tree):
        root = PROC / str(pid) / "root"
        try:
            if root.stat().st_dev != host:
                return sum(_file_system_bytes(root / name) for name in TEMPORARY)
        except OSError:
            continue
    return 0


def _file_system_bytes(folder: Path) -> int:
    try:
        use = os.statvfs(folder)
    except FileNotFoundError:
        return 0
    return (use.f_blocks - use.f_bfree) * use.f_frsize + (use.f_files - use.f_ffree) * INODE_BYTES


def host_uid(pid: int) -> int:
    """Look up a process's real user id as this machine, not its user namespace, knows it."""
    status = (PROC / str(pid) / "status").read_text("utf-8", "replace")
    return int(status.split("Uid:")[1].split()[0])
