"""Collect evidence: run a submission in the sandbox, and take what the hidden graders ask for, test cell by test cell.

A cell that ends its kernel costs that cell alone: a fresh kernel replays the earlier ones without it, and what was taken
before stays taken.
"""

import asyncio
import importlib.metadata
import json
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

import autograder.probe
from autograder.errors import GraderError
from autograder.evidence import MAX_JSON, CellRun, EvidenceFile, Failure, Fault, Probed
from autograder.outbox import take
from autograder.probe.bootstrap import KERNEL_PROBE
from autograder.probes import IMAGE_SHAPES, CallProbe, DataProbe, Probe, generator, random_images, seed_for
from autograder.report import Profile, Timing
from autograder.runner import Runner
from autograder.sandbox import Limits, Room, SandboxKind
from autograder.submission import Cell, Submission

PROBE_S = 120.0
MAX_DEATHS = 6
NEVER_RUN = Failure(Fault.DIED, "", "")
BOOTSTRAP = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("splot_probe", {init!r}, submodule_search_locations=[{folder!r}])
sys.modules["splot_probe"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["splot_probe"])
from splot_probe.bootstrap import prepare
prepare(shell, {inbox!r}, {outbox!r})
"""


@dataclass(frozen=True)
class TimeLimits:
    """Seconds of wall time that the notebook may take."""

    cell: float
    submission: float


TIME_LIMITS: Mapping[Profile, TimeLimits] = {
    Profile.QUICK: TimeLimits(cell=300.0, submission=900.0),
    Profile.FULL: TimeLimits(cell=1800.0, submission=5400.0),
}


@dataclass(frozen=True)
class Collection:
    """How to collect: on which data, in what sandbox, within what limits."""

    profile: Profile
    data: Path
    sandbox: SandboxKind = SandboxKind.BWRAP
    limits: Limits = field(default_factory=Limits)
    time: TimeLimits = TIME_LIMITS[Profile.QUICK]
    dataset: str | None = None
    notes: tuple[str, ...] = ()
    probes: Mapping[str, Sequence[Probe]] = field(default_factory=dict)  # by test cell


def collect(submission: Submission, assignment: str, how: Collection, folder: Path) -> None:
    """Run a submission and leave its evidence in `folder`, made anew; raises `GraderError` where no kernel starts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Room.open(how.sandbox, probe=Path(autograder.probe.__path__[0]), data=how.data, limits=how.limits) as room:
        visit = _Visit(submission, how, room, folder)
        asyncio.run(visit.run())
    (folder / "notebook.ipynb").write_bytes(written(visit.notebook))
    file = EvidenceFile(
        submission=str(submission.path),
        student=submission.student,
        assignment=assignment,
        digest=submission.digest,
        seed=visit.seed,
        profile=how.profile,
        dataset=how.dataset,
        sandbox=how.sandbox,
        notes=(*submission.notes, *how.notes),
        runs=tuple(visit.runs.values()),
        probed=tuple(visit.probed.values()),
        timing=visit.timing,
        versions=_versions(),
    )
    (folder / "evidence.json").write_bytes(msgspec.json.encode(file))


class _Visit:
    """One submission's stay in its room."""

    def __init__(self, submission: Submission, how: Collection, room: Room, folder: Path) -> None:
        self.submission = submission
        self.how = how
        self.room = room
        self.folder = folder
        self.seed = seed_for(submission.digest)
        self.probes = how.probes
        self.notebook = new_notebook(cells=[_as_node(cell) for cell in submission.cells])
        self.runs: dict[int, CellRun] = {}
        self.probed: dict[str, Probed] = {}
        self.killers: set[int] = set()
        self.timing = Timing()
        self.lost = False
        self.deadline = 0.0

    async def run(self) -> None:
        """Run every cell once, in order, and take evidence at the test cells."""
        self.runner = Runner(self.notebook, self.room)
        try:
            await self._start()
            self.deadline = time.monotonic() + self.how.time.submission
            for index, cell in enumerate(self.submission.cells):
                if cell.kind == "code" and cell.source.strip():
                    await self._step(index, cell)
        finally:
            await self.runner.stop()

    async def _start(self) -> None:
        started = time.monotonic()
        await self.runner.start(self._bootstrap())
        self._spend("start_s", started)

    async def _step(self, index: int, cell: Cell) -> None:
        """Run one cell and, at a test cell, the probe."""
        asked = cell.grade_id if cell.grade_id in self.probes else None
        if not await self._ready(index):
            failure = self._out_of_reach()
            self.runs[index] = CellRun(index, cell.grade_id, 0.0, failure)
            if asked:
                self.probed[asked] = Probed(asked, failure=failure)
            return
        run = await self._run(index)
        self.runs[index] = run
        if not await self.runner.alive():
            self.killers.add(index)
        if asked:
            self.probed[asked] = await self._probe(index, asked, run)

    async def _run(self, index: int) -> CellRun:
        started = time.monotonic()
        run = await self.runner.run(index, min(self.how.time.cell, self.deadline - started))
        self._spend("notebook_s", started)
        return run

    async def _ready(self, index: int) -> bool:
        """Make sure a kernel is up that ran every earlier cell but the killers; False where none can be had."""
        while not await self.runner.alive():
            if self.lost or len(self.killers) > MAX_DEATHS or time.monotonic() >= self.deadline:
                return False
            try:
                await self._start()
            except GraderError:  # the first kernel started: what this one cannot live with is the notebook's doing
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

    def _out_of_reach(self) -> Failure:
        if time.monotonic() >= self.deadline:
            return Failure(Fault.TIMEOUT, "", f"{self.how.time.submission:.0f} s")
        return NEVER_RUN

    async def _probe(self, index: int, cell: str, run: CellRun) -> Probed:
        """Take what is asked at one test cell."""
        if index in self.killers:
            return Probed(cell, failure=run.failure or NEVER_RUN)
        started = time.monotonic()
        write_requests(self.probes[cell], self.seed, self.room.inbox / cell)
        failure = await self.runner.ask(f"__import__('sys').modules[{KERNEL_PROBE!r}].take({cell!r})", PROBE_S)
        if not await self.runner.alive():
            self.killers.add(index)
        probed = Probed(cell, failure=failure) if failure else take(self.room.outbox, cell, self.folder)
        self._spend("probe_s", started)
        return probed

    def _bootstrap(self) -> str:
        """Return the line that prepares a fresh kernel; it leaves no name behind in the notebook's namespace."""
        inside = self.room.inside
        source = BOOTSTRAP.format(
            init=str(inside.probe / "__init__.py"),
            folder=str(inside.probe),
            inbox=str(inside.inbox),
            outbox=str(inside.outbox),
        )
        return f"exec({source!r}, {{'shell': get_ipython()}})"

    def _spend(self, what: str, started: float) -> None:
        spent = getattr(self.timing, what) + time.monotonic() - started
        self.timing = msgspec.structs.replace(self.timing, **{what: round(spent, 3)})


def written(notebook: nbformat.NotebookNode, limit: int = MAX_JSON) -> bytes:
    """Return the executed notebook as a file of at most `limit` bytes: the largest outputs go first."""
    content: bytes = nbformat.writes(notebook).encode("utf-8", "replace")
    loud = sorted((c for c in notebook.cells if c.get("outputs")), key=lambda c: len(json.dumps(c)))
    while len(content) > limit and loud:
        loud.pop().outputs = [new_output("stream", text="[…]")]
        content = nbformat.writes(notebook).encode("utf-8", "replace")
    return content


def write_requests(probes: Sequence[Probe], seed: str, folder: Path) -> None:
    """Write what is asked at one test cell, and the inputs that go with it, where the probe reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = []
    for probe in probes:
        request: dict[str, object] = {"kind": type(probe).__name__.removesuffix("Probe").lower(), "name": probe.name}
        if isinstance(probe, CallProbe):
            drawn = probe.draw(generator(seed, f"{probe.cell}/{probe.name}"))
            request |= {"function": probe.function, "observe": probe.observe}
            request["arguments"] = [_argument(value, folder, f"{probe.name}-{i}.npy") for i, value in enumerate(drawn)]
        elif isinstance(probe, DataProbe):
            for name in IMAGE_SHAPES:
                np.save(folder / f"{name}.npy", random_images(seed, name), allow_pickle=False)
        requests.append(request)
    (folder / "request.json").write_text(json.dumps(requests))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _argument(value: object, folder: Path, name: str) -> dict[str, object]:
    if isinstance(value, int):
        return {"value": value}
    np.save(folder / name, np.asarray(value), allow_pickle=False)
    return {"array": name}


def _as_node(cell: Cell) -> nbformat.NotebookNode:
    make = {"code": new_code_cell, "markdown": new_markdown_cell}.get(cell.kind, new_raw_cell)
    metadata = {"grade_id": cell.grade_id, "locked": cell.locked} if cell.grade_id else {}
    return make(cell.source, metadata=metadata)  # type: ignore[no-untyped-call, no-any-return]


def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "numpy", "nbclient", "nbgrader", "splot")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
