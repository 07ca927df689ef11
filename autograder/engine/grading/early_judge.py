"""Imports what judging needs in a process of its own while the notebook runs, and then judges there.

A command that grades one submission need not import torch before the sandbox starts. Its worker then begins with this process,
before it holds the student's folder. What comes back from it is JSON.
"""

import gc
import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from autograder.engine.errors import GraderError
from autograder.engine.evidence import Probe
from autograder.engine.grading.judge_process import end_with_parent, judged
from autograder.engine.grading.task import GradingTask, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import Lesson, find_lesson
from autograder.engine.pages import compile_templates
from autograder.engine.report import Report
from autograder.engine.text import in_language

T = TypeVar("T")


QUIET_S = 8.0
"""Time without a request, in which the notebook is at work, after which what only models need is prepared as well."""


def prepare_judging(lesson: Lesson) -> None:
    """Import and prepare all that judging needs, so that processes can be forked for it."""
    _import_graders(lesson)
    lesson.prepare()
    compile_templates(lesson)


def _import_graders(lesson: Lesson) -> dict[str, list[Probe]]:
    """Import the graders and what they import, and return the probes."""
    for module in lesson.heavy:
        importlib.import_module(module)
    lesson.threads(1)  # a fork would lose the others
    return gather_probes(lesson)


class _Request(msgspec.Struct, frozen=True):
    """What the worker wants: one probe's request written to a folder, or, where no cell is named, evidence judged."""

    cell: str = ""
    number: int = 0
    seed: str = ""
    folder: str = ""
    evidence: str = ""
    digest: str | None = None


@dataclass(frozen=True)
class _DistantProbe(Probe):
    """A probe that only the other process has."""

    kind: ClassVar[str] = ""

    judge: "EarlyJudge"
    number: int

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        return self.judge.answer(_Request(self.cell, self.number, seed, str(folder)), dict[str, Any])


class EarlyJudge(Mapping[str, Sequence[Probe]]):
    """The process, as its worker sees it; as a mapping it is the probes, which it waits for where it must."""

    def __init__(self, task: GradingTask) -> None:
        context = get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(task, theirs, self._connection, os.getpid()))
        self._process.start()
        theirs.close()

    def __getitem__(self, cell: str) -> Sequence[Probe]:
        return [_DistantProbe(cell, "", self, number) for number in range(self._counts[cell])]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    @cached_property
    def _counts(self) -> dict[str, int]:
        """How many probes each cell has; raises `GraderError` where the graders could not be imported."""
        return self._received(dict[str, int])

    def judged(self, _: GradingTask, evidence: Path, digest: str | None = None) -> Report:
        """Judge a folder of the task's evidence as `judge_process.judged` does."""
        return self.answer(_Request(evidence=str(evidence), digest=digest), Report)

    def answer(self, request: _Request, kind: type[T]) -> T:
        """Send a request and wait for its answer; raises `GraderError` with the reason where there is none."""
        len(self)  # what comes first through the pipe
        try:
            self._connection.send_bytes(msgspec.json.encode(request))
        except OSError as error:
            raise self._died() from error
        return self._received(kind)

    def _received(self, kind: type[T]) -> T:
        try:
            answer: T | str = msgspec.json.decode(self._connection.recv_bytes(), type=kind | str)
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(answer, str):
            raise GraderError(answer)
        return answer

    def _died(self) -> GraderError:
        self._process.join()
        return GraderError(f"The judge ended with status {self._process.exitcode}; grade this submission again.")

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()


@contextmanager
def early_judge(task: GradingTask) -> Iterator[EarlyJudge]:
    """Start the process, and end it with the block."""
    judge = EarlyJudge(task)
    try:
        yield judge
    finally:
        judge.close()


def _serve(task: GradingTask, connection: Connection, workers: Connection, parent: int) -> None:
    """Import everything, say how many probes there are, then answer requests until the worker closes the pipe."""
    end_with_parent(parent)
    workers.close()
    own = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # read as torch is imported, as in the fork server (`pool.py`)
    try:
        lesson = find_lesson(task.assignment.lesson)
        probes = _import_graders(lesson)
    except Exception as error:  # noqa: BLE001 - the worker raises it
        connection.send_bytes(msgspec.json.encode(reason_of(error)))
        return
    os.environ.pop("OMP_WAIT_POLICY")
    os.environ.update({} if own is None else {"OMP_WAIT_POLICY": own})
    gc.freeze()
    connection.send_bytes(msgspec.json.encode({cell: len(asked) for cell, asked in probes.items()}))
    prepared = False
    with in_language(task.how.lang):
        while True:
            if not (prepared or connection.poll(QUIET_S)):
                lesson.prepare()
                prepared = True
            try:
                request = msgspec.json.decode(connection.recv_bytes(), type=_Request)
            except EOFError:
                return
            connection.send_bytes(_answer(task, probes, request))


def _answer(task: GradingTask, probes: Mapping[str, Sequence[Probe]], request: _Request) -> bytes:
    try:
        if not request.cell:
            return msgspec.json.encode(judged(task, Path(request.evidence), request.digest))
        return msgspec.json.encode(probes[request.cell][request.number].request(request.seed, Path(request.folder)))
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        return msgspec.json.encode(reason_of(error))
