"""Measures a process tree by /proc: its processes, the memory it holds, the cores it may use.

Memory that the kernel holds on a process's behalf counts as well: page tables, sockets, pipes, inodes.
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """`pid` and all that descends from it, parents first. What ends meanwhile is left out.

    A process that forks twice becomes a child of its pid namespace's first process, so it stays a descendant.
    """
    found = [pid]
    for parent in found:
        for thread in threads(parent):
            with suppress(OSError):  # it ended meanwhile; its children became another thread's, or the first process's
                children = (PROC / str(parent) / "task" / str(thread) / "children").read_text("ascii")
                found += [child for child in map(int, children.split()) if child not in found]
    return found


def threads(pid: int) -> list[int]:
    """Threads of a process, the first included while any lives; empty where the process has ended."""
    try:
        return [int(entry.name) for entry in (PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def has_ended(pid: int) -> bool:
    """Whether all of a process's threads have ended, and so it holds no memory, file or namespace any more.

    Until its parent asks for it, it is still listed, as a zombie; in a container the first process may never ask.
    """
    for thread in threads(pid):
        with suppress(OSError):  # it ended meanwhile
            line = (PROC / str(pid) / "task" / str(thread) / "stat").read_bytes()
            if line.rpartition(b")")[2].split()[0] not in (b"Z", b"X"):
                return False
    return True


def host_uid(pid: int) -> int:
    """Look up a process's real user id as this machine, not its user namespace, knows it."""
    status = (PROC / str(pid) / "status").read_text("utf-8", "replace")
    return int(status.split("Uid:")[1].split()[0])


CLAIM = "splot-core"


@contextmanager
def claimed(count: int) -> Iterator[tuple[int, ...]]:
    """Reserve `count` of this process's cores among all graders on the machine; empty if too few are free.

    A claim is an abstract socket named after the core: no file is left over, and the kernel takes it back whatever
    becomes of the grader.
    """
    with ExitStack() as stack:
        mine: list[int] = []
        for core in sorted(os.sched_getaffinity(0)):
            if len(mine) < count:
                with suppress(OSError):  # another grader's
                    claim = stack.enter_context(socket.socket(socket.AF_UNIX))
                    claim.bind(f"\0{CLAIM}-{core}")
                    mine.append(core)
        if len(mine) < count:
            stack.close()
            mine = []
        yield tuple(mine)


def pin_to_cores(cores: tuple[int, ...], pid: int) -> None:
    """Set the affinity of every thread in a tree to these cores, where it differs.

    The call that chooses cannot be refused inside: torch counts the machine's cores with it.
    """
    for process in descendants(pid):
        for thread in threads(process):
            with suppress(OSError):  # it ended meanwhile
                if not os.sched_getaffinity(thread) <= set(cores):
                    os.sched_setaffinity(thread, cores)


KIB, MIB = 1024, 2**20
INODE_BYTES = 2 * KIB
"""Kernel memory behind one file of a tmpfs, beside its content: inode, name, attributes."""
FILE_BYTES = 10 * KIB
"""Behind one slot for an open file: a pipe holds two pages once a user has many of them (pipe(7))."""
THREAD_BYTES = 32 * KIB
"""Behind one thread: its kernel stack of 16 KiB, and what describes it."""
AREA_BYTES = 256
LOCK_BYTES = 256
FREE_SOCKETS = 128
FREE_TCP = 4
"""Sockets that are not counted: a kernel has 16, one of them TCP, and a machine may have large buffers."""
MOST_AREAS = 65_530
"""Of one process (`vm.max_map_count`)."""
FEW_PROCESSES = 16
"""Up to so many, their mapped areas are not counted: they hold at most 16 MiB a process."""
LONG_LIST, LONG_MAP = MIB, MIB // 2
"""Bytes of the machine's list of locks, and of a process's list of areas (torch's takes 0.2 MiB); no more is read."""
LINE = re.compile(r"^(\w+):\s+(\d+(?: kB)?)$", re.MULTILINE)
TEMPORARY = ("tmp", "dev/shm", "home/student")
"""In-memory file systems of a sandbox, relative to its root."""


def memory_in_use(pid: int, limit: int) -> int:
    """Bytes that a tree holds: its pages, its in-memory file systems, and kernel memory on its behalf.

    Resident sizes count a shared page once for each process; they are quick to read. While their sum passes `limit`,
    proportional sizes are read instead, which count it once in all: about 10 ms for a large process, so no more of them
    than decide it, and none on a machine that is short of memory.

    Raises:
        OSError: there is a process that cannot be measured.

    """
    tree = descendants(pid)
    processes = [process for member in tree if (process := _measured(member)) is not None]
    kernel = _temporary_bytes(tree) + _socket_bytes(tree) + _lock_bytes(tree) + _area_bytes(processes)
    kernel += sum(process.kernel for process in processes)
    total = kernel + sum(process.resident for process in processes)
    for process in sorted(processes, key=lambda process: process.resident, reverse=True):
        if kernel > limit or total <= limit:
            break
        if free_memory() < min_free_memory():
            return limit  # more is not known
        total += _proportional(process) - process.resident
    return total


@dataclass(frozen=True, slots=True)
class _Process:
    """A process's memory in bytes, and where /proc shows it: at a thread that has not ended, or it shows none."""

    thread: Path
    resident: int
    kernel: int


def _measured(pid: int) -> _Process | None:
    """Measure a process; None where it has no memory, or has ended."""
    for number in threads(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            thread = PROC / str(pid) / "task" / str(number)
            status = _numbers(thread / "status")
            if "VmRSS" in status:
                kernel = status.get("VmPTE", 0) + status.get("HugetlbPages", 0)
                kernel += status.get("FDSize", 0) * FILE_BYTES + status.get("Threads", 1) * THREAD_BYTES
                return _Process(thread, status["VmRSS"] + status.get("VmSwap", 0), kernel)
    return None


def _numbers(path: Path) -> dict[str, int]:
    """Read lines of the form `name: number [kB]`; sizes in bytes."""
    found = {}
    for name, value in LINE.findall(path.read_text("utf-8", "replace")):
        number, _, unit = value.partition(" ")
        found[name] = int(number) * (KIB if unit else 1)
    return found


def _proportional(process: _Process) -> int:
    try:
        sizes = _numbers(process.thread / "smaps_rollup")
    except PermissionError:
        return process.resident
    except OSError:
        return 0
    return sizes.get("Pss", 0) + sizes.get("SwapPss", 0)


def _temporary_bytes(tree: list[int]) -> int:
    """Sum what lies in the tree's own tmpfs; 0 where they cannot be seen, and then only their sizes bound them."""
    host = Path("/").stat().st_dev
    for pid in reversed(tree):
        root = PROC / str(pid) / "root"
        try:
            if root.stat().st_dev == host:
                continue
            total = 0
            for folder in (root / name for name in TEMPORARY):
                with suppress(FileNotFoundError):
                    use = os.statvfs(folder)
                    total += (use.f_blocks - use.f_bfree) * use.f_frsize + (use.f_files - use.f_ffree) * INODE_BYTES
        except OSError:
            continue
        return total
    return 0


def sockets(tree: list[int]) -> tuple[int, int] | None:
    """Count the sockets of a tree's own network namespace, and those among them that speak TCP.

    The kernel counts each as long as anything that it sent lies unread, closed or never accepted though it be.
    None where no process of the tree has a network namespace of its own.
    """
    ours = (PROC / "self/ns/net").readlink()
    for pid in reversed(tree):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # bubblewrap's own may not be read
            if (PROC / str(pid) / "ns/net").readlink() != ours:
                lines = [line.split() for name in ("sockstat", "sockstat6") for line in _lines(pid, name)]
                inuse = {fields[0]: int(fields[2]) for fields in lines if len(fields) > 2}
                return inuse["sockets:"], inuse["TCP:"] + inuse.get("TCP6:", 0)
    return None


def _lines(pid: int, name: str) -> list[str]:
    try:
        return (PROC / str(pid) / "net" / name).read_text("ascii").splitlines()
    except FileNotFoundError:
        if name == "sockstat":
            raise
        return []  # a machine without IPv6


def _socket_bytes(tree: list[int]) -> int:
    """Count each socket with full buffers, which no call inside can enlarge: see `seccomp`."""
    found = sockets(tree)
    if found is None:
        return 0
    one = sum(_setting(f"core/{name}") for name in ("wmem_default", "rmem_default", "optmem_max"))
    tcp = _setting("ipv4/tcp_wmem") + _setting("ipv4/tcp_rmem")
    return max(0, found[0] - FREE_SOCKETS) * one + max(0, found[1] - FREE_TCP) * tcp


@cache
def _setting(name: str) -> int:
    return int((PROC / "sys/net" / name).read_text("ascii").split()[-1])


def _lock_bytes(tree: list[int]) -> int:
    """Count the locks on parts of files; a list too long to read, and mostly this tree's, counts by its length."""
    with (PROC / "locks").open("rb") as file:
        listed = file.read(LONG_LIST)
    own = {str(pid).encode() for pid in tree}
    held = sum(1 for line in listed.splitlines() if not own.isdisjoint(line.split()[4:6]))
    endless = len(listed) == LONG_LIST and 2 * held > listed.count(b"\n")
    return 2**40 if endless else held * LOCK_BYTES


def _area_bytes(processes: list[_Process]) -> int:
    """Count the mapped areas of a tree of many processes; 0 for those that this user may not read."""
    areas = 0
    for process in processes if len(processes) > FEW_PROCESSES else ():
        with suppress(OSError), (process.thread / "maps").open("rb") as file:
            listed = file.read(LONG_MAP)
            areas += MOST_AREAS if len(listed) == LONG_MAP else listed.count(b"\n")
    return areas * AREA_BYTES


def free_memory() -> int:
    """Return this machine's available memory in bytes."""
    return _numbers(PROC / "meminfo").get("MemAvailable", 2**63)


@cache
def min_free_memory() -> int:
    """Return the free memory, in bytes, below which sandboxes are ended."""
    return min(512 * MIB, _numbers(PROC / "meminfo")["MemTotal"] // 20)
