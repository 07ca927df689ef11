"""Judges evidence in a process of its own, forked from the worker, since what it computes with is untrusted.

While that process works on a part, one of `models` or a cell's other checks, the part's name stands in memory that both
processes share. Where it ends there, the part is set aside and all else is judged again, at most once for each part.
Only an end outside every part costs the report.

The process has limits on time and memory, which are the kernel's own: one that overruns its time is ended by SIGALRM wherever
it is, C code included. Through Python it may open no socket and start no process: a second line of defence, not a sandbox.
"""

import ctypes
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
from autograder.engine.grading.task import JudgeLimits, Task, reason_of
from autograder.engine.judging import judge
from autograder.engine.lesson import find_lesson
from autograder.engine.report import Report, encode
from autograder.engine.text import printable
from autograder.engine.watch import Part, Setback, SetbackCause, SetbackError, Watch

MIB = 2**20
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill")
"""Beginnings of audit events (https://docs.python.org/3/library/audit_events.html): the network, other processes."""
RESERVE_S = 60.0
"""For all but the models where their time is up; and for the findings, once the report is there."""
GRACE_S = 30.0
"""A process that its own timer has not ended by then is killed."""
NAME_BYTES = 512
FROM_OUTSIDE = {signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM}


def conceal() -> None:
    """Let no other process of this user trace this one or read its memory, answers included."""
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
    """Keep this process to the limits for a while; past the time it is ended, past the memory allocations fail."""
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
    """An audit hook that refuses what a judge never needs. A hook cannot be removed, only be inactive."""

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


class _Broken(msgspec.Struct, frozen=True):
    """How a process ended that has no report: at a part, or outside every part for this reason."""

    reason: str
    part: Part | None = None
    setback: Setback | None = None


def judged(task: Task, digest: str | None = None) -> Report:
    """Return the report of a task's evidence; raises `GraderError` where it cannot be judged.

    `digest` is that of the notebook which the evidence must be of; None where none was read.
    """
    started = time.monotonic()
    evidence = task.folder / "evidence"
    with suppress(OSError):  # an earlier judge's findings
        for path in (evidence / FINDINGS_FILE, *evidence.glob(f".{FINDINGS_FILE}-*")):
            path.unlink(missing_ok=True)
    rounds = _Rounds(task, digest, started + task.how.judge.seconds)
    while not isinstance(end := rounds.next(), Report):
        rounds.set_aside(end)
    timing = msgspec.structs.replace(end.timing, judge_s=round(time.monotonic() - started, 3))
    return msgspec.structs.replace(end, timing=timing)


class _Rounds:
    """The processes that judge one submission's evidence, one after another."""

    def __init__(self, task: Task, digest: str | None, deadline: float) -> None:
        self.task = task
        self.digest = digest
        self.deadline = deadline
        self.aside: dict[Part, Setback] = {}
        self.models_aside: Setback | None = None

    def next(self) -> Report | _Broken:
        """Judge all that is not set aside; return the report, or what was in the way."""
        with mmap.mmap(-1, NAME_BYTES) as name, os.fdopen(os.memfd_create("judged"), "w+b") as answer:
            watch = _Marking(self.task.how.judge, name, answer, self.deadline, self.aside, self.models_aside)
            process = get_context("fork").Process(target=_work, args=(self.task, self.digest, watch, os.getpid()))
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
                    write_whole(self.task.folder / "evidence" / FINDINGS_FILE, msgspec.json.encode(findings))
            return end or _Broken(self._reason(status), watch.part, self._setback(status))

    def set_aside(self, end: _Broken) -> None:
        """Leave out the part that a process ended at; raises `GraderError` where there is none, or it has been left out."""
        if end.part is None or end.setback is None or end.part in self.aside:
            raise GraderError(end.reason)
        self.aside[end.part] = end.setback
        if end.setback.cause is SetbackCause.BUDGET:
            if self.models_aside:
                raise GraderError(end.reason)
            self.models_aside = end.setback
            self.deadline = time.monotonic() + RESERVE_S

    def _setback(self, status: int) -> Setback:
        limits = self.task.how.judge
        if status == -signal.SIGALRM:
            if time.monotonic() >= self.deadline:
                return Setback(SetbackCause.BUDGET, f"{limits.seconds:g} s")
            return Setback(SetbackCause.TIME, f"{limits.part_seconds:g} s")
        if status >= 0:
            return Setback(SetbackCause.FAULT, f"status {status}")
        number = signal.Signals(-status)
        return Setback(SetbackCause.KILLED if number in FROM_OUTSIDE else SetbackCause.CRASH, number.name)

    def _reason(self, status: int) -> str:
        if status == -signal.SIGALRM:
            seconds = self.task.how.judge.seconds
            return f"Judging this evidence took more than {seconds:g} s and was ended; a person must look at it."
        died = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"The judge {died}; a person must look at this evidence."


def _read(answer: BinaryIO) -> Report | _Broken | None:
    answer.seek(0)
    kind: type[Report | _Broken] = Report if answer.read(1) == b"r" else _Broken
    try:
        return msgspec.json.decode(answer.read(), type=kind)
    except msgspec.DecodeError:
        return None


class _Marking(Watch):
    """Writes the part at work into shared memory, and lets the process end when the part's time or all time is up."""

    def __init__(
        self, limits: JudgeLimits, name: mmap.mmap, answer: BinaryIO, deadline: float, aside: Mapping[Part, Setback],
        models_aside: Setback | None,
    ) -> None:  # fmt: skip
        self.limits = limits
        self.aside = aside
        self.deadline = deadline
        self._name = name
        self._answer = answer
        self._models_aside = models_aside
        self._stack: list[Part] = []
        self._spent: dict[Part, float] = {}
        self._since = 0.0

    @property
    def part(self) -> Part | None:
        """The part at work, as either process sees it."""
        try:
            return msgspec.json.decode(self._name[:].rstrip(b"\0"), type=Part)
        except msgspec.DecodeError:
            return None

    def require(self, part: Part) -> None:
        """Raise where a part, or every model, has been set aside."""
        super().require(part)
        if part.is_model and self._models_aside:
            raise self._models_aside.verdict(part)

    def enter(self, part: Part) -> None:
        """Begin a part's time, and stop that of what surrounds it."""
        within = bool(self._stack) and self._stack[-1] == part
        if not within:
            self._charge()
        self._stack.append(part)
        if not within:
            self._begin()

    def leave(self) -> None:
        """Stop a part's time, and go on with that of what surrounds it."""
        if len(self._stack) > 1 and self._stack[-2] == self._stack[-1]:
            self._stack.pop()
            return
        self._charge()
        self._stack.pop()
        self._begin()

    def decided(self, report: Report) -> None:
        """Hand over the report, or a later one; flags and pages may take a little longer, and cost nothing if they fail."""
        self.answer(b"r", encode(report))
        self.deadline = min(self.deadline, time.monotonic() + RESERVE_S)
        self._begin()

    def answer(self, kind: bytes, content: bytes) -> None:
        """Leave what the other process is to read, in place of what was left before."""
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


def _work(task: Task, digest: str | None, watch: _Marking, parent: int) -> None:
    """Judge, in the process made for it."""
    end_with_parent(parent)
    limits = task.how.limits
    threads = limits.cores if limits.shared else len(os.sched_getaffinity(0))
    find_lesson(task.assignment.lesson).threads(threads)
    try:
        with confined(replace(task.how.judge, seconds=max(0.001, watch.deadline - time.monotonic()))):
            _require_own(task, digest)
            judge(task.folder / "evidence", task.assignment, task.how.lang, watch)
    except SetbackError as error:
        broken = _Broken(str(error), error.part, error.setback)
        watch.answer(b"b", msgspec.json.encode(broken))
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        watch.answer(b"b", msgspec.json.encode(_Broken(reason_of(error))))


def _require_own(task: Task, digest: str | None) -> None:
    """Raise `GraderError` where the evidence in the folder is another student's, assignment's or notebook's.

    `digest` is that of the notebook which was just read; None where none was.
    """
    file = Evidence(task.folder / "evidence").file
    owner = (task.student, task.assignment.name)
    if (file.student, file.assignment) != owner or Path(os.path.abspath(task.folder)).name != owner[1]:  # noqa: PTH100
        found = f"{printable(file.student, 60)}'s of {printable(file.assignment, 60)}"
        raise GraderError(f"The evidence in {task.folder} is {found}, not {owner[0]}'s of {owner[1]}; grade it again.")
    if digest not in {None, file.digest}:
        raise GraderError(f"The evidence in {task.folder} is not of {task.notebook} as it stands; grade it again.")
