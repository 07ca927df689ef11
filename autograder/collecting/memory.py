"""The memory that taking in one submission's evidence may use: whatever comes, it cannot take the machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.errors import GraderError

MIB = 2**20
COLLECTING_MB = 2048
"""Address space, in MiB, beyond what the process starts with."""


@contextmanager
def bounded_memory(mb: int = COLLECTING_MB) -> Iterator[None]:
    """Keep this process to so much more address space; raises `GraderError` where it was not enough.

    That is no loss of points: what fails for want of it is ours, and a person has to look.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    own = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize() + mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (own if soft == resource.RLIM_INFINITY else min(own, soft), hard))
    try:
        yield
    except MemoryError as error:
        said = f"What came out of the sandbox did not fit into {mb} MiB; a person must look at this submission."
        raise GraderError(said) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def for_a_child() -> Iterator[None]:
    """Lift the limit while a process is started that has limits of its own: it would inherit this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
