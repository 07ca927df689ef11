"""Starts a Jupyter kernel in a sandbox: the kernel provisioner, and a manager for nbclient, nbconvert and nbgrader."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Instance

from autograder.engine.errors import GraderError
from autograder.engine.report import SandboxKind
from autograder.engine.sandbox.bubblewrap import CONNECTION_FILE, IPC, sandbox_command
from autograder.engine.sandbox.relay import MAX_MESSAGE, Relay
from autograder.engine.sandbox.sandbox import Sandbox
from autograder.engine.sandbox.watchdog import Death, MemoryGroup, Watchdog, new_group

MIB = 2**20
SOCKET = "kernel"
"""Base name of the kernel's sockets: `kernel-1` to `kernel-5`."""
RELAY_SOCKET = "line"
"""Base name of the relay's sockets, to which the grader's clients connect instead."""


class BubblewrapProvisioner(LocalProvisioner):
    """Starts a kernel under bubblewrap, or unconfined in the sandbox's directory if its kind is `none`."""

    sandbox = Instance(Sandbox)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._watchdog: Watchdog | None = None
        self._relay: Relay | None = None
        self._group: MemoryGroup | None = None
        self._ended_by_us = False

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; the requested environment and working directory are replaced by the sandbox's."""
        own = {key: value for key, value in kwargs.items() if key not in ("env", "cwd")}
        self._ended_by_us = False
        self._leave_group()
        with self.sandbox.log.open("wb") as log:
            own |= {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            if self.sandbox.kind is SandboxKind.NONE:
                await self._launch(cmd, environment(self.sandbox), cwd=str(self.sandbox.work), **own)
            else:
                await self._launch_inside(cmd, **own)
        return self.connection_info

    async def _launch_inside(self, cmd: list[str], **own: Any) -> None:
        await self._close_relay()
        ports = [value for name, value in self.connection_info.items() if name.endswith("_port")]
        self._relay = await Relay.open(
            {self.sandbox.base / f"{RELAY_SOCKET}-{port}": self.sandbox.ipc / f"{SOCKET}-{port}" for port in ports}
        )
        info = {k: v.decode() if isinstance(v, bytes) else v for k, v in self.connection_info.items()}
        connection = json.dumps(info | {"ip": str(IPC / SOCKET)}).encode()
        with sandbox_command(self.sandbox, cmd, environment(self.sandbox), connection) as way:
            # Bubblewrap stays as the sandbox's process 1, whose environment can be read inside: it gets only PATH.
            outside = {"PATH": os.defpath}
            self._group = new_group(self.sandbox.limits.memory_mb * MIB)
            argv = list(way.argv) if self._group is None else self._group.in_group(list(way.argv))
            await self._launch(argv, outside, cwd="/", pass_fds=way.descriptors, **own)

    async def _launch(self, cmd: list[str], env: dict[str, str], **own: Any) -> None:
        await super().launch_kernel(cmd, env=env, **own)
        if self.process is None:
            raise GraderError("The sandbox could not be started.")
        self._watchdog = Watchdog(self.process, self.sandbox, self._group)

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and everything in its sandbox, and wait until it is gone."""
        self._note_request()
        if self._watchdog is not None:
            self._watchdog.note_processes()
        await super().kill(restart)
        if self._watchdog is not None:
            await asyncio.to_thread(self._watchdog.wait_until_gone)
        self._leave_group()

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.close()
        self._group = None

    async def terminate(self, restart: bool = False) -> None:
        """End the kernel as `kill` does, at once: bubblewrap has nothing to tidy up."""
        self._note_request()
        await super().terminate(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Release the resources of a kernel that has ended."""
        await self._close_relay()
        await super().cleanup(restart)

    async def _close_relay(self) -> None:
        if self._relay is not None:
            await self._relay.close()
            self._relay = None

    @property
    def left_out(self) -> int:
        """How many of the kernel's messages were longer than allowed, and so were not passed on."""
        return self._relay.left_out if self._relay is not None else 0

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Record that the manager asked the kernel to end, so that its end is not reported as a death."""
        self._note_request()
        await super().shutdown_requested(restart)

    def _note_request(self) -> None:
        self._ended_by_us = self._ended_by_us or self.death() is None

    def death(self) -> Death | None:
        """Why the kernel ended; None while it lives, and where it ended because it was asked to."""
        if self._watchdog is None or self._ended_by_us:
            return None
        return self._watchdog.death()


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Make the kernel's whole environment: nothing of the host's crosses."""
    work, threads = str(sandbox.inside.work), str(sandbox.limits.cores)
    # The only GPU that can be opened is number 0. Its convolutions compute in float32, as the judge's, not in TF32.
    gpu = {} if sandbox.gpu is None else {"CUDA_VISIBLE_DEVICES": "0", "NVIDIA_TF32_OVERRIDE": "0"}
    return gpu | {
        "PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
        "HOME": work,
        "USER": "student",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PIP_NO_INDEX": "1",  # `!pip install …` answers at once instead of waiting for a network
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # pip otherwise reads what every installed package requires: 1.5 s of the sheet's `%pip install torchinfo`, in vain.
        "PIP_NO_WARN_CONFLICTS": "0",  # "no" to warning of conflicts, as pip reads its negative options
        # A thread that waits by spinning stops its neighbours: three trainings at once on two cores took 50 s, not 7.
        "OMP_WAIT_POLICY": "PASSIVE",
        # glibc otherwise returns feature maps to the system at each step, and takes them again page by page: 12 % of the
        # processor time of two of five tutorials' training loops, the weights the same (`benchmarks.loops`).
        "MALLOC_MMAP_THRESHOLD_": str(32 * MIB),  # the most that it accepts
        "MALLOC_TRIM_THRESHOLD_": str(256 * MIB),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }


PROVISIONER = "splot-bubblewrap"
"""The entry point's name in pyproject.toml."""
KERNEL_NAME = "splot"
UNREAD = 4
"""Messages per channel queued in the grader, `MAX_MESSAGE` bytes each; further ones wait in the kernel."""


class BoundedKernelClient(AsyncKernelClient):
    """A client whose sockets limit the size and number of messages, and that opens only the channels it reads."""

    def _context_default(self) -> zmq.asyncio.Context:
        return _bounded(super()._context_default())

    def start_channels(self, *_: bool, **__: bool) -> None:
        """Open the shell and iopub channels only: stdin and heartbeat are not used."""
        super().start_channels(stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        """Close them, without opening the others first."""
        self.shell_channel.stop()
        self.iopub_channel.stop()


def _bounded(context: zmq.asyncio.Context) -> zmq.asyncio.Context:
    """Limit the messages that sockets of this context receive."""
    context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
    context.setsockopt(zmq.RCVHWM, UNREAD)
    return context


class _OneKernelSpec(KernelSpecManager):
    """Provides only the sandbox's kernel spec, and ignores those installed on this machine."""

    sandbox = Instance(Sandbox)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 - one kernel, whatever its name
        """Describe an ordinary ipykernel that names our provisioner.

        Interrupts go by message: a SIGINT sent from here would end bubblewrap, not reach the cell.
        """
        connection_file = "{connection_file}" if self.sandbox.kind is SandboxKind.NONE else str(CONNECTION_FILE)
        launcher = [sys.executable, "-m", "ipykernel_launcher", "-f", connection_file]
        return KernelSpec(
            argv=[*launcher, "--HistoryManager.hist_file=:memory:"],
            display_name="Splot",
            language="python",
            interrupt_mode="message",
            metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {"sandbox": self.sandbox}}},
        )


def kernel_manager(sandbox: Sandbox) -> AsyncKernelManager:
    """Make a manager whose kernel runs in `sandbox`, for `NotebookClient(notebook, km=…)`.

    nbclient leaves a manager that it was handed running: call `shutdown_kernel(now=True)` before the sandbox closes.
    A kernel that died may be started again in the same sandbox (`start_kernel`), with a fresh watchdog.
    """
    manager = AsyncKernelManager(
        client_class=f"{BoundedKernelClient.__module__}.{BoundedKernelClient.__name__}",
        kernel_name=KERNEL_NAME,
        kernel_spec_manager=_OneKernelSpec(sandbox=sandbox),
        transport="ipc",
        ip=str(sandbox.ipc / SOCKET if sandbox.kind is SandboxKind.NONE else sandbox.base / RELAY_SOCKET),
        connection_file=str(sandbox.base / "connection.json"),
    )
    _bounded(manager.context)
    return manager


def left_out(manager: AsyncKernelManager) -> int:
    """Return how many messages of a manager's kernel were dropped because they were too long."""
    provisioner = manager.provisioner
    return provisioner.left_out if isinstance(provisioner, BubblewrapProvisioner) else 0


def death(manager: AsyncKernelManager) -> Death | None:
    """Return why a manager's kernel ended; None while it runs, or if the manager asked it to end.

    Raises:
        GraderError: the manager is not one of `kernel_manager`.

    """
    provisioner = manager.provisioner
    if provisioner is None:
        return None
    if not isinstance(provisioner, BubblewrapProvisioner):
        raise GraderError("This kernel was not started in a sandbox.")
    return provisioner.death()
