"""Ctrl-C: it ends quickly, says what is done and keeps it, and is neither lost nor taken for the notebook's doing."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.cli.grading import interruptible
from autograder.engine.collecting.runner import Runner, SandboxEndedError
from autograder.engine.report import read_report
from autograder.engine.sandbox import Sandbox, SandboxKind
from tests.engine.interrupted_runs import (
    CHEAP,
    CHEAP_POINTS,
    SLEEPING,
    STALE,
    fork_server,
    kill,
    sandboxed,
    start,
    task,
    wait_for,
)
from tests.engine.sandboxed_kernel import gone, needs_bubblewrap


@needs_bubblewrap
@pytest.mark.parametrize(
    "group",
    [pytest.param(False, marks=pytest.mark.soak), True],
    ids=["the command alone", "the whole group, as a terminal does"],
)
def test_ctrl_c_keeps_what_is_done(group: bool, tmp_path: Path) -> None:
    """While the second of two is graded: exit 130, one sentence, the first in `--json` and on disk.

    Of the second there is no report, nor an older one; the sandbox is gone and nothing temporary stays.
    """
    first, second = task(CHEAP, tmp_path, "jan"), task(SLEEPING, tmp_path, "ola")
    command = start("grade", "submitted", "--profile", "quick", "--json", "all.json", folder=tmp_path)
    wait_for((second.folder / "evidence" / "arrays").is_dir)
    left = sandboxed(command.pid)
    kill(-command.pid if group else command.pid, signal.SIGINT)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 130, said
    assert said.strip() == "splot: Stopped: 1 of 2 submissions are done; run the same again for the others."
    assert [report["student"] for report in json.loads((tmp_path / "all.json").read_bytes())] == ["jan"]
    assert read_report(first.folder / "report.json").score == CHEAP_POINTS
    assert not (second.folder / "report.json").exists()
    assert left
    assert gone(left)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("late", [False, True], ids=["as the fork server starts", "while it imports"])
def test_ctrl_c_before_a_worker_is_there_touches_nothing(late: bool, tmp_path: Path) -> None:
    """The whole group is struck: exit 130 without waiting for the imports, one sentence, an older report stays."""
    only = task(CHEAP, tmp_path)
    command = start("grade", "submitted", "--profile", "quick", folder=tmp_path)
    wait_for(lambda: list((tmp_path / "tmp").glob("*/errors")) if late else fork_server(command.pid))
    server = fork_server(command.pid)
    kill(-command.pid, signal.SIGINT)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 130, said
    assert said.strip() == "splot: Stopped: 0 of 1 submissions are done; run the same again for the others."
    assert (only.folder / "report.json").read_bytes() == STALE
    assert server
    assert gone([server])
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_wherever_it_strikes(number: int) -> None:
    """Inside the block a signal raises nothing, not even where an exception would be lost; after it all is as before."""

    class Falling:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with interruptible() as stopped:
        assert not stopped()
        Falling()
        assert stopped()
        assert stopped.exit_code == 128 + number
    assert signal.getsignal(number) is before


async def _slept(sandbox: Sandbox, strike: str) -> object:
    """Run a cell that sleeps, and strike meanwhile; return what its run came to."""
    runner = Runner(
        new_notebook(cells=[new_code_cell("print('here', flush=True)\nimport time; time.sleep(60)")]), sandbox
    )
    try:
        await runner.start("None")
        cell = asyncio.create_task(runner.run(0, 60))
        while not runner.notebook.cells[0].outputs:  # noqa: ASYNC110 - nbclient gives no sign
            await asyncio.sleep(0.02)
        if strike == "cancel":
            cell.cancel()
        else:
            kill(sandboxed(os.getpid())[0])
        return (await asyncio.gather(cell, return_exceptions=True))[0]
    finally:
        await runner.stop()


@needs_bubblewrap
@pytest.mark.parametrize(("strike", "came"), [("cancel", asyncio.CancelledError), ("kill", SandboxEndedError)])
def test_what_ends_a_cell_from_outside_is_not_the_notebooks_doing(
    strike: str, came: type[BaseException], tmp_path: Path
) -> None:
    """A cell cancelled (asyncio's Ctrl-C) or a sandbox killed by the machine is no death that a cell would pay for."""
    (tmp_path / "probe").mkdir()
    with Sandbox.open(SandboxKind.BWRAP, code={"probe": tmp_path / "probe"}) as sandbox:
        assert isinstance(asyncio.run(_slept(sandbox, strike)), came)
