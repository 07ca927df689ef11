"""Judges evidence in a separate process, forked from the worker, because the evidence is untrusted.

While that process works on a part (one of `models`, or a cell's other checks), the part's name is in memory that both
processes share. If it ends there, that part is excluded and the rest is judged again, at most once for each part.
Only if the process ends outside every part is there no report.

The process has limits on time and memory, which are the kernel's own: one that overruns its time is ended by SIGALRM wherever
it is, C code included. Through Python it may open no socket and start no process: a second line of defence, not a sandbox.
"""

import ctypes
import gc
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import msgspec

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.evidence import FINDINGS_FILE, Evidence
from autograder.engine.files import write_whole
from autograder.engine.grading.task import FROM_TERMINAL, GradingTask, JudgeLimits, reason_of
from autograder.engine.judging import judge
from autograder.engine.lesson import find_lesson
from autograder.engine.part_tracker import Part, PartFailure, PartFailureCause, PartFailureError, PartTracker
from autograder.engine.report import Report, encode
from autograder.engine.text import printable

MIB = 2**20
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill")
"""Beginnings of audit events (https://docs.python.org/3/library/audit_events.html): the network, other processes."""
OBJECTS = 50_000
"""New objects after which Python looks for cycles among them; by default 700, which takes a twentieth of judging."""
RESERVE_S = 60.0
"""Time kept for the checks without models once the models' time is used up, and for the findings after the report."""
GRACE_S = 30.0
"""A process that its own timer has not ended by then is killed."""
NAME_BYTES = 512
FROM_OUTSIDE = FROM_TERMINAL | {signal.SIGKILL}


def forbid_tracing() -> None:
    """Prevent other processes of this user from tracing this one or reading its memory, which holds answers."""
    _prctl(PR_SET_DUMPABLE, 0)


def end_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")


@contextmanager
def confined(limits: JudgeLimits) -> Iterator[None]:
    """Apply the limits inside the block: past the time the process is killed, past the memory allocations fail."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    own = mapped + limits.memory_mb * MIB
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(
        resource.RLIMIT_AS, (own if before[1] == resource.RLIM_INFINITY else min(own, before[1]), before[1])
    )
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    _Guard.on()
    try:
        yield
    finally:
        _Guard.active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


class _Guard:
    """An audit hook that forbids sockets and new processes. A hook cannot be removed, only be made inactive."""

    installed = False
    active = False

    @classmethod
    def on(cls) -> None:
        if not cls.installed:
            sys.addaudithook(cls.check)
        cls.installed = cls.active = True

    @classmethod
    def check(cls, event: str, _: object) -> None:
        if cls.active and event.startswith(FORBIDDEN):
            raise PermissionError(f"The judge tried {event}.")


class _NoReport(msgspec.Struct, frozen=True):
    """How a judge process ended without a report: at `part` with `part_failure`, or outside every part for `reason`."""

    reason: str
    part: Part | None = None
    part_failure: PartFailure | None = None


def judged(task: GradingTask, evidence: Path, digest: str | None = None) -> Report:
    """Judge a folder of a task's evidence in separate processes and return the report; raises `GraderError` if that fails.

    `digest` is that of the notebook which the evidence must be of; None where none was read.
    """
    started = time.monotonic()
    with suppress(OSError):  # an earlier judge's findings
        for path in (evidence / FINDINGS_FILE, *evidence.glob(f".{FINDINGS_FILE}-*")):
            path.unlink(missing_ok=True)
    rounds = _JudgeRuns(task, evidence, digest, started + task.how.judge.seconds)
    while not isinstance(end := rounds.next(), Report):
        rounds.exclude(end)
    timing = msgspec.structs.replace(end.timing, judge_s=round(time.monotonic() - started, 3))
    return msgspec.structs.replace(end, timing=timing)


class _JudgeRuns:
    """Runs the processes that judge one submission's evidence, one after another."""

    def __init__(self, task: GradingTask, evidence: Path, digest: str | None, deadline: float) -> None:
        self.task = task
        self.evidence = evidence
        self.digest = digest
        self.deadline = deadline
        self.excluded: dict[Part, PartFailure] = {}
        self.models_excluded: PartFailure | None = None

    def next(self) -> Report | _NoReport:
        """Judge all parts that are not excluded; return the report, or how the process ended without one."""
        with mmap.mmap(-1, NAME_BYTES) as name, os.fdopen(os.memfd_create("judged"), "w+b") as answer:
            watch = _SharedWatch(self.task.how.judge, name, answer, self.deadline, self.excluded, self.models_excluded)
            process = get_context("fork").Process(
                target=_work, args=(self.task, self.evidence, self.digest, watch, os.getpid())
            )
            process.start()
            process.join(max(0.0, self.deadline - time.monotonic()) + GRACE_S)
            in_time = process.exitcode is not None
            process.kill()
            process.join()
            status = (process.exitcode or 0) if in_time else -signal.SIGALRM
            end = _read(answer)
            if isinstance(end, Report) and status:  # no findings but the fault: the report is whole without them
                findings = find_lesson(self.task.assignment.lesson).findings(faults=(self._reason(status),))
                with suppress(SplotError):
                    write_whole(self.evidence / FINDINGS_FILE, msgspec.json.encode(findings))
            return end or _NoReport(self._reason(status), watch.part, self._setback(status))

    def exclude(self, end: _NoReport) -> None:
        """Exclude the part at which a process ended; raises `GraderError` if none, or if excluded before."""
        if end.part is None or end.part_failure is None or end.part in self.excluded:
            raise GraderError(end.reason)
        self.excluded[end.part] = end.part_failure
        if end.part_failure.cause is PartFailureCause.BUDGET:
            if self.models_excluded:
                raise GraderError(end.reason)
            self.models_excluded = end.part_failure
            self.deadline = time.monotonic() + RESERVE_S

    def _setback(self, status: int) -> PartFailure:
        limits = self.task.how.judge
        if status == -signal.SIGALRM:
            if time.monotonic() >= self.deadline:
                return PartFailure(PartFailureCause.BUDGET, f"{limits.seconds:g} s")
            return PartFailure(PartFailureCause.TIME, f"{limits.part_seconds:g} s")
        if status >= 0:
            return PartFailure(PartFailureCause.FAULT, f"status {status}")
        number = signal.Signals(-status)
        return PartFailure(PartFailureCause.KILLED if number in FROM_OUTSIDE else PartFailureCause.CRASH, number.name)

    def _reason(self, status: int) -> str:
        if status == -signal.SIGALRM:
            seconds = self.task.how.judge.seconds
            return f"Judging this evidence took more than {seconds:g} s and was ended; a person must look at it."
        died = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"The judge {died}; a person must look at this evidence."


def _read(answer: BinaryIO) -> Report | _NoReport | None:
    answer.seek(0)
    kind: type[Report | _NoReport] = Report if answer.read(1) == b"r" else _NoReport
    try:
        return msgspec.json.decode(answer.read(), type=kind)
    except msgspec.DecodeError:
        return None


class _SharedWatch(PartTracker):
    """Writes the current part to shared memory, and ends the process when the part's or the total time is up."""

    def __init__(
        self, limits: JudgeLimits, name: mmap.mmap, answer: BinaryIO, deadline: float, excluded: Mapping[Part, PartFailure],
        models_excluded: PartFailure | None,
    ) -> None:  # fmt: skip
        self.limits = limits
        self.excluded = excluded
        self.deadline = deadline
        self._name = name
        self._answer = answer
        self._models_aside = models_excluded
        self._stack: list[Part] = []
        self._spent: dict[Part, float] = {}
        self._since = 0.0

    @property
    def part(self) -> Part | None:
        """The current part, readable in both processes."""
        try:
            return msgspec.json.decode(self._name[:].rstrip(b"\0"), type=Part)
        except msgspec.DecodeError:
            return None

    def require(self, part: Part) -> None:
        """Raise if this part, or every model, has been excluded."""
        super().require(part)
        if part.is_model and self._models_aside:
            raise self._models_aside.verdict(part)

    def enter(self, part: Part) -> None:
        """Start a part's timer and pause that of the part around it."""
        within = bool(self._stack) and self._stack[-1] == part
        if not within:
            self._charge()
        self._stack.append(part)
        if not within:
            self._begin()

    def leave(self) -> None:
        """Stop a part's timer and resume that of the part around it."""
        if len(self._stack) > 1 and self._stack[-2] == self._stack[-1]:
            self._stack.pop()
            return
        self._charge()
        self._stack.pop()
        self._begin()

    def decided(self, report: Report) -> None:
        """Send the report to the parent; flags and findings may follow within `RESERVE_S`."""
        self.answer(b"r", encode(report))
        self.deadline = min(self.deadline, time.monotonic() + RESERVE_S)
        self._begin()

    def answer(self, kind: bytes, content: bytes) -> None:
        """Write the answer that the parent process reads, replacing an earlier one."""
        self._answer.seek(0)
        self._answer.truncate()
        self._answer.write(kind + content)
        self._answer.flush()

    def _charge(self) -> None:
        if self._stack:
            part = self._stack[-1]
            self._spent[part] = self._spent.get(part, 0.0) + time.monotonic() - self._since

    def _begin(self) -> None:
        self._since = time.monotonic()
        left = self.deadline - self._since
        name = b""
        if self._stack:
            name = msgspec.json.encode(self._stack[-1])
            left = min(left, self.limits.part_seconds - self._spent.get(self._stack[-1], 0.0))
        self._name[:] = name.ljust(NAME_BYTES, b"\0")
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))


def _work(task: GradingTask, evidence: Path, digest: str | None, watch: _SharedWatch, parent: int) -> None:
    """Judge in the child process."""
    end_with_parent(parent)
    gc.set_threshold(OBJECTS)
    limits = task.how.limits
    threads = limits.cores if limits.shared else len(os.sched_getaffinity(0))
    find_lesson(task.assignment.lesson).threads(threads)
    try:
        with confined(replace(task.how.judge, seconds=max(0.001, watch.deadline - time.monotonic()))):
            _require_own(task, evidence, digest)
            judge(evidence, task.assignment, task.how.lang, watch)
    except PartFailureError as error:
        broken = _NoReport(str(error), error.part, error.part_failure)
        watch.answer(b"b", msgspec.json.encode(broken))
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        watch.answer(b"b", msgspec.json.encode(_NoReport(reason_of(error))))


def _require_own(task: GradingTask, evidence: Path, digest: str | None) -> None:
    """Raise `GraderError` where the evidence in the folder is another student's, assignment's or notebook's.

    `digest` is that of the notebook which was just read; None where none was.
    """
    file = Evidence(evidence).file
    owner = (task.student, task.assignment.name)
    if (file.student, file.assignment) != owner or Path(os.path.abspath(task.folder)).name != owner[1]:  # noqa: PTH100
        found = f"{printable(file.student, 60)}'s of {printable(file.assignment, 60)}"
        raise GraderError(f"The evidence in {task.folder} is {found}, not {owner[0]}'s of {owner[1]}; grade it again.")
    if digest not in {None, file.digest}:
        raise GraderError(f"The evidence in {task.folder} is not of {task.notebook} as it stands; grade it again.")
