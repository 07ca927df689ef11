"""A process and its descendants, as this machine's /proc shows them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """`pid` and all that descends from it, parents first. What ends meanwhile is left out.

    A process that forks twice becomes a child of its pid namespace's first process, so it stays a descendant.
    """
    found = [pid]
    for parent in found:
        found += [child for child in _children(parent) if child not in found]
    return found


def _children(pid: int) -> Iterator[int]:
    for thread in threads(pid):
        with suppress(
            OSError
        ):  # it ended while we looked; its children became another thread's, or the first process's
            yield from map(int, (PROC / str(pid) / "task" / str(thread) / "children").read_text("ascii").split())


def threads(pid: int) -> list[int]:
    """Threads of a process, the first included while any lives; empty where the process has ended."""
    try:
        return [int(entry.name) for entry in (PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def host_uid(pid: int) -> int:
    """Look up a process's real user id as this machine, not its user namespace, knows it."""
    status = (PROC / str(pid) / "status").read_text("utf-8", "replace")
    return int(status.split("Uid:")[1].split()[0])
