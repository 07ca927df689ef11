"""A Jupyter kernel in a room, as nbclient, nbconvert and nbgrader use any other."""

import sys

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import Instance

from autograder.errors import GraderError
from autograder.sandbox.bubblewrap import CONNECTION_FILE
from autograder.sandbox.provisioner import LINE, SOCKET, BubblewrapProvisioner
from autograder.sandbox.relay import MAX_MESSAGE
from autograder.sandbox.room import Room, SandboxKind
from autograder.sandbox.watchdog import Death

PROVISIONER = "splot-bubblewrap"
"""The entry point's name in pyproject.toml."""
KERNEL_NAME = "splot"
UNREAD = 4
"""Messages of one channel that may wait in the grader's memory, `MAX_MESSAGE` bytes each; more wait in the kernel's own."""


class BoundedKernelClient(AsyncKernelClient):
    """A client whose sockets take in neither long messages nor many, and that asks for no channel it does not read."""

    def _context_default(self) -> zmq.asyncio.Context:
        return _bounded(super()._context_default())

    def start_channels(self, *_: bool, **__: bool) -> None:
        """Open the channels for replies and for output: nobody here answers `input()`, nor needs a heartbeat."""
        super().start_channels(stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        """Close them, without opening the others first."""
        self.shell_channel.stop()
        self.iopub_channel.stop()


def _bounded(context: zmq.asyncio.Context) -> zmq.asyncio.Context:
    """Limit what every socket made from it takes in."""
    context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
    context.setsockopt(zmq.RCVHWM, UNREAD)
    return context


class _RoomSpecs(KernelSpecManager):
    """Knows one kernel spec, that of a room's kernel, wherever kernel specs may lie on this machine."""

    room = Instance(Room)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 - one kernel, whatever its name
        return kernel_spec(self.room)


def kernel_spec(room: Room) -> KernelSpec:
    """Describe an ordinary ipykernel that names our provisioner.

    Interrupts go by message: a SIGINT sent from here would end bubblewrap, not reach the cell.
    """
    connection_file = "{connection_file}" if room.kind is SandboxKind.NONE else str(CONNECTION_FILE)
    launcher = [sys.executable, "-m", "ipykernel_launcher", "-f", connection_file]
    return KernelSpec(
        argv=[*launcher, "--HistoryManager.hist_file=:memory:"],
        display_name="Splot",
        language="python",
        interrupt_mode="message",
        metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {"room": room}}},
    )


def kernel_manager(room: Room) -> AsyncKernelManager:
    """Make a manager whose kernel runs in `room`, for `NotebookClient(notebook, km=…)`.

    nbclient leaves a manager that it was handed running: call `shutdown_kernel(now=True)` before the room closes.
    A kernel that died may be started again in the same room (`start_kernel`), with a fresh watchdog.
    """
    manager = AsyncKernelManager(
        client_class=f"{BoundedKernelClient.__module__}.{BoundedKernelClient.__name__}",
        kernel_name=KERNEL_NAME,
        kernel_spec_manager=_RoomSpecs(room=room),
        transport="ipc",
        ip=str(room.ipc / SOCKET if room.kind is SandboxKind.NONE else room.base / LINE),
        connection_file=str(room.base / "connection.json"),
    )
    _bounded(manager.context)
    return manager


def left_out(manager: AsyncKernelManager) -> int:
    """How many messages of a manager's kernel were longer than allowed, and so never came."""
    provisioner = manager.provisioner
    return provisioner.left_out if isinstance(provisioner, BubblewrapProvisioner) else 0


def death(manager: AsyncKernelManager) -> Death | None:
    """Why a manager's kernel ended; None while it lives, and where it ended because it was asked to.

    Raises:
        GraderError: the manager is not one of `kernel_manager`.

    """
    provisioner = manager.provisioner
    if provisioner is None:
        return None
    if not isinstance(provisioner, BubblewrapProvisioner):
        raise GraderError("This kernel was not started in a room.")
    return provisioner.death()
