"""A kernel in a sandbox, for the tests to try things in."""

import asyncio
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from autograder.engine.sandbox import (
    BubblewrapProvisioner,
    Death,
    Limits,
    Sandbox,
    SandboxKind,
    death,
    isolation,
    kernel_manager,
)
from autograder.engine.sandbox.processes import descendants

PROJECT = Path(__file__).resolve().parents[2]
CANARY = "canary-7f3a91"
SMALL = Limits(memory_mb=512, processes=96, tmp_mb=32, file_mb=16, outbox_mb=8, outbox_files=100)

needs_bubblewrap = pytest.mark.skipif(
    not all(feature.ok for feature in isolation() if feature.required), reason="bubblewrap cannot run here"
)


class SandboxedKernel:
    """One kernel in a sandbox, driven by nbclient."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.manager = kernel_manager(sandbox)
        self._runner = asyncio.Runner()
        self._client = NotebookClient(
            new_notebook(),
            km=self.manager,
            allow_errors=True,
            interrupt_on_timeout=True,
            timeout=60,
        )
        self._runner.run(self._client.async_start_new_kernel())
        self._runner.run(self._client.async_start_new_kernel_client())

    def run(self, code: str, timeout: int = 60) -> str:
        """Run a cell; return what it printed, then its exception."""
        self._client.timeout = timeout
        cell = new_code_cell(textwrap.dedent(code))
        self._client.nb.cells.append(cell)
        self._runner.run(self._client.async_execute_cell(cell, len(self._client.nb.cells) - 1))
        return "".join(output.get("text", "") or output.get("ename", "") for output in cell.outputs).strip()

    def death(self) -> Death | None:
        """Why the kernel ended."""
        return death(self.manager)

    @property
    def processes(self) -> list[int]:
        """Process ids of the whole tree, as this machine knows them."""
        provisioner = self.manager.provisioner
        assert isinstance(provisioner, BubblewrapProvisioner)
        assert provisioner.pid is not None
        return descendants(provisioner.pid)

    def stop(self) -> None:
        """Shut the kernel down."""
        self._runner.run(self._shut_down())

    async def _shut_down(self) -> None:
        await self.manager.shutdown_kernel(now=True)

    def close(self) -> None:
        """Likewise, and let go of all else."""
        self.stop()
        if self._client.kc is not None:
            self._client.kc.stop_channels()
        self._runner.close()


@contextmanager
def opened(
    folder: Path, kind: SandboxKind = SandboxKind.BWRAP, limits: Limits = SMALL, data: Path | None = None
) -> Iterator[SandboxedKernel]:
    """Start a kernel in a sandbox of its own, with a probe package in `folder`."""
    probe = folder / "probe"
    probe.mkdir(exist_ok=True)
    (probe / "__init__.py").write_text("ANSWER = 42\n", "utf-8")
    with Sandbox.open(kind, code={"probe": probe}, data=data, limits=limits) as sandbox:
        kernel = SandboxedKernel(sandbox)
        try:
            yield kernel
        finally:
            kernel.close()


def gone(pids: list[int], within_s: float = 5) -> bool:
    """Tell whether all of these processes end in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False
