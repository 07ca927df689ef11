"""A system-call filter for what namespaces and limits do not cover.

Namespaces already take away the network, the file system and other processes. Left are calls that make memory which
neither a mapping nor a mount accounts for, socket families that no network namespace separates (AF_VSOCK reaches a
virtual machine's host), and kernel interfaces that no course needs and that have had more than their share of holes.
Format: classic BPF over `struct seccomp_data`, linux/seccomp.h and linux/filter.h.
"""

import errno
import platform
import struct
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
X32_CALLS = 0x40000000

FAMILIES = (1, 2, 10, 16)
"""Socket families that stay: UNIX, INET, INET6, NETLINK; ipykernel needs more than the first."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture's audit number and its numbers for the calls that are refused."""

    audit: int
    socket: int
    refused: tuple[int, ...]


# 425 and above have one number on every architecture.
NEWER = (
    425, 426, 427,  # io_uring_setup, io_uring_enter, io_uring_register
    428, 429, 430, 431, 432, 433, 442,  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    438, 447,  # pidfd_getfd, memfd_secret
)  # fmt: skip

MACHINES = {
    "x86_64": Machine(0xC000003E, 41, (
        319, 29, 68,  # memfd_create, shmget, msgget
        101, 310, 311, 312,  # ptrace, process_vm_readv, process_vm_writev, kcmp
        248, 249, 250,  # add_key, request_key, keyctl
        321, 298, 323,  # bpf, perf_event_open, userfaultfd
        165, 166, 155, 161, 272, 308,  # mount, umount2, pivot_root, chroot, unshare, setns
        303, 304,  # name_to_handle_at, open_by_handle_at
        *NEWER,
    )),
    "aarch64": Machine(0xC00000B7, 198, (
        279, 194, 186,
        117, 270, 271, 272,
        217, 218, 219,
        280, 241, 282,
        40, 39, 41, 51, 97, 268,
        264, 265,
        *NEWER,
    )),
}  # fmt: skip


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _return(action: int) -> bytes:
    return _instruction(RETURN, action)


def filter_program(machine: str | None = None) -> bytes | None:
    """Write the filter as bubblewrap's `--seccomp` reads it.

    Args:
        machine: `platform.machine()` by default.

    Returns:
        An array of `struct sock_filter`, or None for an architecture whose numbers are not listed here.

    """
    known = MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    program = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(EQUAL, known.audit, if_true=1),
        _return(KILL),
        _instruction(LOAD, NUMBER),
        _instruction(AT_LEAST, X32_CALLS, if_false=1),
        _return(REFUSE | errno.ENOSYS),
    ]
    # ENOSYS, not EPERM: programs then fall back as on an older kernel.
    for number in known.refused:
        program += [_instruction(EQUAL, number, if_false=1), _return(REFUSE | errno.ENOSYS)]
    program += [_instruction(EQUAL, known.socket, if_true=1), _return(ALLOW)]
    program += [_instruction(LOAD, FIRST_ARGUMENT)]
    for family in FAMILIES:
        program += [_instruction(EQUAL, family, if_false=1), _return(ALLOW)]
    program += [_return(REFUSE | errno.EAFNOSUPPORT)]
    return b"".join(program)
