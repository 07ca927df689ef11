"""The sandbox: one Jupyter kernel in a room of its own."""

from autograder.engine.sandbox.cgroup import memory_guard
from autograder.engine.sandbox.features import Feature, isolation, require
from autograder.engine.sandbox.kernel import BubblewrapProvisioner, death, kernel_manager, left_out
from autograder.engine.sandbox.room import Limits, Room, SandboxKind, View
from autograder.engine.sandbox.watchdog import Cause, Death

__all__ = [
    "BubblewrapProvisioner",
    "Cause",
    "Death",
    "Feature",
    "Limits",
    "Room",
    "SandboxKind",
    "View",
    "death",
    "isolation",
    "kernel_manager",
    "left_out",
    "memory_guard",
    "require",
]
