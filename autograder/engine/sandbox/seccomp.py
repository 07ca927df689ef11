"""Makes the system-call filter for what namespaces and limits do not cover, by libseccomp.

Namespaces already take away the network, the file system and other processes; bubblewrap sets `no_new_privs`. What the
filter refuses on top of that stands below, group by group, each with its reason.
"""

import errno
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

FAMILIES = (1, 2, 10, 16)
"""Allowed socket families: UNIX, INET, INET6, NETLINK; ipykernel needs more than UNIX."""

NEW_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""`clone` flags of linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

CLONE_VM, CLONE_FILES, CLONE_VFORK, CLONE_THREAD = 0x100, 0x400, 0x4000, 0x10000
CLOSE_RANGE_UNSHARE = 2
MAP_SHARED_ANONYMOUS = 0x21
SOL_SOCKET = 1
BUFFER_SIZES = (7, 8, 32, 33)
"""SO_SNDBUF, SO_RCVBUF and their forms for the privileged."""
BOUNDLESS_FCNTL = (37, 38, 1031)
"""F_OFD_SETLK and F_OFD_SETLKW, whose locks name no process; F_SETPIPE_SZ."""
INT = 2**32 - 1
"""The half of an argument that the kernel reads of an `int`; a filter is shown the other half as well."""


@dataclass(frozen=True, slots=True)
class Group:
    """System calls that are refused, and why."""

    why: str
    calls: tuple[str, ...]


REFUSED = (
    Group(
        "Memory that no process's size and no mount shows, so that the watchdog could not count it.",
        ("memfd_create", "memfd_secret", "shmget", "msgget", "semget", "mq_open",
         "vmsplice", "inotify_init", "inotify_init1", "remap_file_pages"),
    ),
    Group("A byte in a socket that keeps a whole page of a file in memory, cut off though the file be by then.",
          ("splice", "sendfile")),
    Group(
        "Looking into another process, or taking its descriptors: the way from one to the next.",
        ("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    ),
    Group(
        "Making namespaces and mounts anew, in which the student would be root again.",
        ("mount", "umount2", "pivot_root", "chroot", "unshare", "setns",
         "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"),
    ),
    Group(
        "Large, young parts of the kernel that no course needs; most of its holes of late were found there.",
        ("io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd"),
    ),
    Group("Keys are shared beyond namespaces.", ("add_key", "request_key", "keyctl")),
    Group("A file by its handle, past every mount; watching whole file systems.",
          ("name_to_handle_at", "open_by_handle_at", "fanotify_init")),
    Group(
        "The machine itself. They need capabilities that nobody has inside; a hole there would be a hole in everything.",
        ("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
         "acct", "syslog", "quotactl", "iopl", "ioperm", "modify_ldt", "vhangup", "lookup_dcookie"),
    ),
    Group("Its flags lie in memory, where no filter can read them; the C library then falls back on `clone`.",
          ("clone3",)),
)  # fmt: skip


NEEDED_BY_CUDA = frozenset({"memfd_create"})
"""https://github.com/NVIDIA/OpenShell/issues/1696; CUDA maps shared anonymous memory as well."""


@cache
def filter_program(*, gpu: bool = False) -> bytes | None:
    """Return the filter as bubblewrap's `--seccomp` reads it; None where libseccomp or its binding is not installed.

    A refused call answers ENOSYS, not EPERM: programs then fall back as on an older kernel. With a GPU the filter lets pass
    what CUDA cannot start without, and with it memory that the watchdog does not see: SECURITY.md says what then bounds it.
    """
    try:
        import pyseccomp  # noqa: PLC0415 - it raises RuntimeError where the C library is missing
    except (ImportError, RuntimeError):
        return None
    program = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    here = pyseccomp.system_arch()
    allowed = NEEDED_BY_CUDA if gpu else frozenset()
    for name in (call for group in REFUSED for call in group.calls if call not in allowed):
        if pyseccomp.resolve_syscall(here, name) >= 0:  # some exist on some processors only
            program.add_rule(pyseccomp.ERRNO(errno.ENOSYS), name)
    for flag in NEW_NAMESPACES:
        new = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
        program.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", new)
    _keep_memory_in_sight(program, pyseccomp)
    if not gpu:  # pages that belong to no process's size once its mapping lets them go, and to no file system
        shared = pyseccomp.Arg(3, pyseccomp.MASKED_EQ, MAP_SHARED_ANONYMOUS, MAP_SHARED_ANONYMOUS)
        program.add_rule(pyseccomp.ERRNO(errno.EPERM), "mmap", shared)
    # Families that no network namespace separates: AF_VSOCK reaches a virtual machine's host.
    unknown = pyseccomp.ERRNO(errno.EAFNOSUPPORT)
    program.add_rule(unknown, "socket", pyseccomp.Arg(0, pyseccomp.GT, max(FAMILIES)))
    for family in set(range(max(FAMILIES))) - set(FAMILIES):
        program.add_rule(unknown, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
    with os.fdopen(os.memfd_create("splot-filter"), "w+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _keep_memory_in_sight(program: Any, pyseccomp: Any) -> None:
    """Refuse by their arguments the calls that make memory which `processes.memory_in_use` would not see."""
    arg, masked = pyseccomp.Arg, pyseccomp.MASKED_EQ
    denied = pyseccomp.ERRNO(errno.EPERM)
    # Memory handed on from one short-lived process to the next faster than it can be measured.
    program.add_rule(denied, "clone", arg(0, masked, CLONE_VM | CLONE_VFORK | CLONE_THREAD, CLONE_VM))
    # A thread with open files of its own, which its process's table does not show.
    program.add_rule(denied, "clone", arg(0, masked, CLONE_THREAD | CLONE_FILES, CLONE_THREAD))
    program.add_rule(denied, "close_range", arg(2, masked, CLOSE_RANGE_UNSHARE, CLOSE_RANGE_UNSHARE))
    # Locks of a process that has ended and left them to another: no list has them.
    program.add_rule(denied, "clone", arg(0, masked, CLONE_THREAD | CLONE_FILES, CLONE_FILES))
    for command in BOUNDLESS_FCNTL:
        program.add_rule(denied, "fcntl", arg(1, masked, INT, command))
    for option in BUFFER_SIZES:  # the call succeeds without effect: programs that set it also work without it
        wish = arg(1, masked, INT, SOL_SOCKET), arg(2, masked, INT, option)
        program.add_rule(pyseccomp.ERRNO(0), "setsockopt", *wish)
