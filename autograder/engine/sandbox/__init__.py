"""The sandbox: one Jupyter kernel, confined."""

from autograder.engine.report import SandboxKind
from autograder.engine.sandbox.features import Feature, gpu_feature, isolation, require
from autograder.engine.sandbox.gpu import GPU, lent_gpu
from autograder.engine.sandbox.kernel import BubblewrapProvisioner, death, kernel_manager, left_out
from autograder.engine.sandbox.processes import free_memory
from autograder.engine.sandbox.sandbox import Limits, Sandbox
from autograder.engine.sandbox.watchdog import Cause, Death, memory_guard

__all__ = [
    "GPU",
    "BubblewrapProvisioner",
    "Cause",
    "Death",
    "Feature",
    "Limits",
    "Sandbox",
    "SandboxKind",
    "death",
    "free_memory",
    "gpu_feature",
    "isolation",
    "kernel_manager",
    "left_out",
    "lent_gpu",
    "memory_guard",
    "require",
]
