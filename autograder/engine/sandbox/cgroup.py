"""A memory cgroup (version 2) of the sandbox's own, where this machine gives one.

The kernel then counts every page that the sandbox causes, its own included, and ends the sandbox at its limit. It is used
only where a trial held: a child group was made, and a process in it that took more than the group's limit was ended.
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
ENTER = ("sh", "-c", 'echo $$ > "$0" && exec "$@"')
TRIAL_BYTES = 64 * 2**20
TRIAL_S = 20.0


class MemoryGroup:
    """One group below `parent`, with a limit; `close` ends what is left in it and removes it."""

    def __init__(self, parent: Path, limit: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="splot-", dir=parent))
        try:
            self._write("memory.max", limit)
            for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1)):
                with suppress(OSError):  # a kernel without swap, or an old one
                    self._write(name, value)
        except OSError:
            self.close()
            raise

    def _write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(f"{value}\n", "ascii")

    def entered(self, argv: list[str]) -> list[str]:
        """Return a command line that enters the group, and then becomes `argv`: no child can be born outside."""
        return [*ENTER, str(self.folder / "cgroup.procs"), *argv]

    def struck(self) -> bool:
        """Tell whether the kernel ended something in the group for its memory."""
        with suppress(OSError):
            lines = (self.folder / "memory.events").read_text("ascii").splitlines()
            return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
        return False

    def close(self) -> None:
        """End what is left in the group, and remove it; one that is still busy stays, empty."""
        with suppress(OSError):
            self._write("cgroup.kill", 1)
        with suppress(OSError):
            self.folder.rmdir()


@cache
def parent_group() -> tuple[Path | None, str]:
    """Find the cgroup in which sandboxes get theirs, and say in a sentence what was found; tried once per process."""
    why = "No cgroup (version 2) with a memory controller can be changed here."
    for parent in _candidates(MOUNT, Path("/proc/self/cgroup")):
        try:
            if held(parent):
                return parent, "A memory cgroup."
            why = "A memory cgroup could be made, but did not hold."
        except OSError as error:
            why = f"No memory cgroup can be made here ({error.strerror})."
    return None, why


def _candidates(mount: Path, own: Path) -> Iterator[Path]:
    """Yield the cgroups whose children have a memory controller: the parent of our own, and our own."""
    with suppress(OSError):
        for line in own.read_text("utf-8").splitlines():
            if line.startswith("0::/"):
                here = mount / line[4:]
                yield from (place for place in (here.parent, here) if _gives_memory(place, mount))


def _gives_memory(place: Path, mount: Path) -> bool:
    if not place.is_relative_to(mount):
        return False
    with suppress(OSError):
        return "memory" in (place / "cgroup.subtree_control").read_text("ascii").split()
    return False


def held(parent: Path) -> bool:
    """Try a group for real: a process that takes four times its limit must be ended; raises `OSError` where none can be made."""
    with _group(parent) as group:
        code = f"held = bytearray({4 * TRIAL_BYTES})"
        command = group.entered([sys.executable, "-I", "-S", "-c", code])
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, check=False, capture_output=True, timeout=TRIAL_S)  # noqa: S603 - our own
            return done.returncode != 0 and group.struck()
    return False


@contextmanager
def _group(parent: Path) -> Iterator[MemoryGroup]:
    group = MemoryGroup(parent, TRIAL_BYTES)
    try:
        yield group
    finally:
        group.close()


def new_group(limit: int) -> MemoryGroup | None:
    """Make a group with a limit in bytes; None where this machine gives none, and the watchdog alone guards memory."""
    parent, _ = parent_group()
    return MemoryGroup(parent, limit) if parent is not None else None


def memory_guard() -> str:
    """Name what holds the limit on memory here: "cgroup" or "watchdog"."""
    return "watchdog" if parent_group()[0] is None else "cgroup"
