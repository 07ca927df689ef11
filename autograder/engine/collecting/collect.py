"""Collect evidence: run a submission in the sandbox and, at each test cell, record what the hidden graders request.

A cell that kills its kernel loses only its own points: a new kernel runs the earlier cells again without it, and what
was recorded before is kept.
"""

import asyncio
import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from autograder.engine import inside
from autograder.engine.collecting.runner import READY_S, Runner, SandboxEndedError, bounded_memory
from autograder.engine.collecting.turn import Turn
from autograder.engine.errors import GraderError
from autograder.engine.evidence import (
    CellRun,
    EvidenceFile,
    Failure,
    Fault,
    Probe,
    Probed,
    Record,
    Schema,
    delete_evidence,
    seed_for,
    take,
    write_evidence,
    write_requests,
)
from autograder.engine.notebook import Cell, Submission
from autograder.engine.report import Profile, Timing
from autograder.engine.sandbox import GPU, Limits, Sandbox, SandboxKind, memory_guard
from autograder.engine.text import say

MAX_DEATHS = 6
MIN_FREE = 16_000_000
NEVER_RUN = Failure(Fault.DIED, "", "")
PACKAGES = ("torch", "torchvision", "numpy", "nbclient", "nbgrader", "splot")
BOOTSTRAP = """
import sys, types
sys.modules["splot_inside"] = types.ModuleType("splot_inside")
sys.modules["splot_inside"].__path__ = [{code!r}]
from splot_inside.engine.inside import prepare
prepare(shell, {inbox!r}, {outbox!r}, {recorders!r})
"""


@dataclass(frozen=True)
class TimeLimits:
    """Seconds of wall time: one cell, the whole notebook, and the probe at one test cell."""

    cell: float
    submission: float
    probe: float = 120.0

    def within(self, seconds: float | None) -> "TimeLimits":
        """Return the limits reduced to `seconds` in all, of which a cell or a probe gets at most half."""
        if seconds is None:
            return self
        return TimeLimits(min(self.cell, seconds / 2), seconds, min(self.probe, seconds / 2))


TIME_LIMITS: Mapping[Profile, TimeLimits] = {
    Profile.QUICK: TimeLimits(cell=300.0, submission=900.0),
    Profile.MEDIUM: TimeLimits(cell=900.0, submission=2700.0),
    Profile.FULL: TimeLimits(cell=1800.0, submission=5400.0),
}


@dataclass(frozen=True)
class Collection:
    """How to collect: on which data, in what sandbox, within what limits."""

    profile: Profile
    data: Path | None
    sandbox: SandboxKind = SandboxKind.BWRAP
    gpu: GPU | None = None
    limits: Limits = field(default_factory=Limits)
    time: TimeLimits = TIME_LIMITS[Profile.QUICK]
    dataset: str | None = None
    notes: tuple[str, ...] = ()
    probes: Mapping[str, Sequence[Probe]] = field(default_factory=dict)  # by test cell
    schema: Schema = field(default_factory=lambda: Schema(Record))
    code: Mapping[str, Path] = field(default_factory=dict)
    """Packages copied into the sandbox besides the engine's own; `recorders` names the one that answers requests."""
    recorders: str = ""
    key: Callable[[], str] = str
    """Returns the key of the evidence; called at the end, since what the graders ask for may be on its way before."""
    until: str | None = None
    """The grade id of the last cell to run; None runs the whole notebook."""
    turn: Turn | None = None
    """When to run the cells; None runs them at once."""
    imports: tuple[str, ...] = ()
    """Modules that the kernel imports while it waits for its turn."""


def collect(submission: Submission, assignment: str, how: Collection, folder: Path) -> None:
    """Run a submission and write its evidence to a new `folder`; raises `GraderError` if no kernel starts."""
    delete_evidence(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    code = {"engine/inside": Path(inside.__file__).parent, **how.code}
    opened = Sandbox.open(how.sandbox, code=code, data=how.data, limits=how.limits, gpu=how.gpu)
    with bounded_memory(), opened as sandbox:
        run = _NotebookRun(submission, how, sandbox, folder)
        asyncio.run(run.run())
    file = EvidenceFile(
        submission=str(submission.path),
        student=submission.student,
        assignment=assignment,
        digest=submission.digest,
        seed=run.seed,
        profile=how.profile,
        dataset=how.dataset,
        sandbox=how.sandbox,
        gpu=how.gpu is not None,
        memory_guard=memory_guard() if how.sandbox is SandboxKind.BWRAP else "watchdog",
        notes=(*submission.notes, *how.notes, *run.cut_notes()),
        runs=tuple(run.runs.values()),
        probed=tuple(run.probed.values()),
        timing=run.timing,
        versions=versions(),
        key=how.key(),
        until=how.until,
    )
    write_evidence(folder, run.notebook, file)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a score may depend on."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


class _NotebookRun:
    """One run of a submission's notebook in its sandbox."""

    def __init__(self, submission: Submission, how: Collection, sandbox: Sandbox, folder: Path) -> None:
        self.submission = submission
        self.how = how
        self.sandbox = sandbox
        self.folder = folder
        self.seed = seed_for(submission.digest)
        self.notebook = new_notebook(cells=[_as_node(cell) for cell in submission.cells])
        self.runner = Runner(self.notebook, sandbox)
        self.runs: dict[int, CellRun] = {}
        self.probed: dict[str, Probed] = {}
        self.killers: set[int] = set()
        """Indices of the cells that killed their kernel."""
        self.timing = Timing()
        self.lost = False
        """Whether no further kernel can be started."""
        self.deadline = 0.0

    async def run(self) -> None:
        """Run the cells once, in order, and take evidence at the test cells."""
        try:
            await self._start()
            turn = nullcontext() if self.how.turn is None else self.how.turn.taken(self._import_ahead)
            async with turn:
                self.deadline = time.monotonic() + self.how.time.submission
                await self._run_cells()
            self.runner.why_dead()
        finally:
            await self.runner.stop()

    async def _run_cells(self) -> None:
        for index, cell in enumerate(self.submission.cells):
            if cell.kind == "code" and cell.source.strip():
                await self._step(index, cell)
            if self.how.until is not None and cell.grade_id == self.how.until:
                break

    async def _start(self) -> None:
        """Start a new kernel and prepare it; this leaves no name in the notebook's namespace."""
        started = time.monotonic()
        view = self.sandbox.inside
        source = BOOTSTRAP.format(
            code=str(view.code), inbox=str(view.inbox), outbox=str(view.outbox), recorders=self.how.recorders
        )
        await self.runner.start(f"exec({source!r}, {{'shell': get_ipython()}})")
        self._add_time("start_s", started)

    async def _import_ahead(self) -> None:
        """Have the kernel import what this lesson's notebooks do; where that fails, a new one starts without."""
        request = f"__import__('sys').modules[{inside.KERNEL_PROBE!r}].import_ahead({self.how.imports!r})"
        if await self.runner.ask(request, READY_S) is not None:
            await self._start()

    async def _step(self, index: int, cell: Cell) -> None:
        """Run one cell and, at a test cell, the probe."""
        asked = cell.grade_id if self._is_asked(cell) else None
        if await self._ready(index):
            run = self.runs[index] = await self._run(index)
            if not await self.runner.alive():
                self.killers.add(index)
            if asked:
                self.probed[asked] = await self._probe(index, asked, run)
            return
        failure = NEVER_RUN
        if time.monotonic() >= self.deadline:
            failure = Failure(Fault.TIMEOUT, "", f"{self.how.time.submission:.0f} s")
        self.runs[index] = CellRun(index, cell.grade_id, 0.0, failure)
        if asked:
            self.probed[asked] = Probed(asked, failure=failure)

    def _is_asked(self, cell: Cell) -> bool:
        """Whether graders ask for something at a cell; what they ask for may be on its way, which is not the notebook's time."""
        started = time.monotonic()
        asked = cell.grade_id is not None and cell.grade_id in self.how.probes
        self.deadline += time.monotonic() - started
        return asked

    async def _run(self, index: int) -> CellRun:
        started = time.monotonic()
        run = await self.runner.run(index, min(self.how.time.cell, self.deadline - started))
        self._add_time("notebook_s", started)
        return run

    async def _ready(self, index: int) -> bool:
        """Ensure a kernel that ran every earlier cell, except those that kill it; False if impossible."""
        while not await self.runner.alive():
            if self.lost or len(self.killers) > MAX_DEATHS or time.monotonic() >= self.deadline:
                return False
            try:
                await self._start()
            except SandboxEndedError:
                raise
            except GraderError:  # the first kernel did start, so the notebook causes this
                self.lost = True
                return False
            await self._replay(index)
        return time.monotonic() < self.deadline

    async def _replay(self, until: int) -> None:
        for index in sorted(self.runs):
            if index >= until or index in self.killers or time.monotonic() >= self.deadline:
                continue
            outputs = self.notebook.cells[index].outputs
            await self._run(index)
            self.notebook.cells[index].outputs = outputs
            if not await self.runner.alive():
                self.killers.add(index)
                return

    async def _probe(self, index: int, cell: str, run: CellRun) -> Probed:
        """Run the probe of one test cell and move its answer into the evidence."""
        if index in self.killers:
            return Probed(cell, failure=run.failure or NEVER_RUN)
        started = time.monotonic()
        write_requests(self.how.probes[cell], self.seed, self.sandbox.inbox / cell)
        request = f"__import__('sys').modules[{inside.KERNEL_PROBE!r}].take({cell!r})"
        failure = await self.runner.ask(request, self.how.time.probe)
        if not await self.runner.alive():
            self.killers.add(index)
        if failure is not None:
            probed = Probed(cell, failure=failure)
        else:
            probed = take(self.sandbox.outbox, cell, self.folder, self.how.schema)
        self._add_time("probe_s", started)
        if shutil.disk_usage(self.sandbox.base).free < MIN_FREE:  # then the answer may be incomplete
            raise GraderError(f"The disk that holds {self.sandbox.base.parent} is full: make room, then grade again.")
        return probed

    def _add_time(self, what: str, started: float) -> None:
        spent = getattr(self.timing, what) + time.monotonic() - started
        self.timing = msgspec.structs.replace(self.timing, **{what: round(spent, 3)})

    def cut_notes(self) -> list[str]:
        """Return one note per cell whose output exceeded the limit."""
        if not self.runner.cut:
            return []
        cells = self.submission.cells
        names = ", ".join(cells[index].grade_id or str(index + 1) for index in sorted(self.runner.cut))
        return [
            say(
                pl=f"Przekroczono limit wypisywania, więc pominięto dalszą część wyniku (komórki: {names}).",
                en=f"The limit on output was passed, so the rest of it was left out (cells: {names}).",
            )
        ]


def _as_node(cell: Cell) -> nbformat.NotebookNode:
    make = {"code": new_code_cell, "markdown": new_markdown_cell}.get(cell.kind, new_raw_cell)
    metadata = {"grade_id": cell.grade_id, "locked": cell.locked} if cell.grade_id else {}
    return make(cell.source, metadata=metadata)  # type: ignore[no-untyped-call, no-any-return]
