"""Lends a sandbox one of this machine's NVIDIA GPUs: finds its device files, and locks it for one student at a time."""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.errors import GraderError

DEV = Path("/dev")
NUMBERED = re.compile(r"nvidia(\d+)")
REQUIRED = ("nvidiactl", "nvidia-uvm")
IF_THERE = ("nvidia-uvm-tools",)
"""Drivers from 570 on open it as CUDA starts, and fail where they may not: https://github.com/nolabs-ai/nono/pull/652."""
DRIVER_FILES = (Path("/sys/module/nvidia"), Path("/sys/module/nvidia_uvm"), Path("/sys/devices/system/node"))
"""What libcuda reads beside /proc/driver/nvidia: without the modules it takes the driver for not loaded (CUDA error 304)."""
POLL_S = 0.2
EVERYBODY = 0o006


@dataclass(frozen=True, slots=True)
class GPU:
    """One GPU: its own device file, and those that CUDA needs for any GPU of the machine."""

    node: Path
    shared: tuple[Path, ...]

    @property
    def nodes(self) -> tuple[Path, ...]:
        """All device files that its sandbox sees."""
        return (self.node, *self.shared)


def found_gpus(dev: Path = DEV) -> tuple[GPU, ...]:
    """Return the GPUs that a sandbox may be given, by number; those whose device file cannot be opened are left out.

    Raises `GraderError` where there is none, with the reason.
    """
    numbers = sorted(int(found[1]) for path in dev.glob("nvidia*") if (found := NUMBERED.fullmatch(path.name)))
    if not numbers:
        amd = " AMD's are not supported." if (dev / "kfd").exists() else ""
        raise GraderError(f"No NVIDIA GPU was found here: there is no {dev / 'nvidia0'}.{amd} Grade without --gpu.")
    for name in REQUIRED:
        if not (dev / name).exists():
            raise GraderError(f"CUDA needs {dev / name}, which is not there: run `sudo nvidia-modprobe -c 0 -u`.")
    shared = tuple(dev / name for name in (*REQUIRED, *IF_THERE) if (dev / name).exists())
    nodes = [dev / f"nvidia{number}" for number in numbers]
    usable = [node for node in nodes if _may_be_opened(node)]
    closed = [node for node in shared if not _may_be_opened(node)] or ([] if usable else nodes)
    if closed:
        user = "you" if os.geteuid() else "every user, as root's sandboxes are nobody's,"
        raise GraderError(f"The GPU's device file {closed[0]} cannot be used: let {user} read and write it.")
    return tuple(GPU(node, shared) for node in usable)


def _may_be_opened(node: Path) -> bool:
    """Try to open a device file: permissions do not tell what a device cgroup (Slurm, a container) refuses."""
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    return os.geteuid() != 0 or mode & EVERYBODY == EVERYBODY


@contextmanager
def lent_gpu(dev: Path = DEV) -> Iterator[GPU]:
    """Wait for a GPU that no other grader on this machine has lent, and keep it locked in the block.

    The lock is on the device file itself, so it holds among all users who may use the GPU; the kernel releases it whatever
    becomes of this process. Raises `GraderError` as `found_gpus` does.
    """
    gpus = found_gpus(dev)
    while (locked := next(filter(None, map(_locked, gpus)), None)) is None:
        time.sleep(POLL_S)
    gpu, descriptor = locked
    try:
        yield gpu
    finally:
        os.close(descriptor)


def _locked(gpu: GPU) -> tuple[GPU, int] | None:
    """Lock a GPU and return it with the descriptor that holds the lock; None where another grader holds it."""
    descriptor = os.open(gpu.node, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return gpu, descriptor
