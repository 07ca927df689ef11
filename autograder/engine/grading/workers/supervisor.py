"""The supervisor: a process that has imported everything, forks a worker for each task, and outlives what it does.

It reads nothing that a stranger made but a worker's report, through the report's own strict types. It has one thread and
computes nothing, so that forking is safe. When the client's end of the line closes, it ends its workers and itself.
"""

import gc
import importlib
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from os import getpid
from pathlib import Path

import msgspec

from autograder.engine.deletion import delete
from autograder.engine.errors import SplotError
from autograder.engine.files import write_report, write_whole
from autograder.engine.grading.confinement import conceal, confined, end_with_parent
from autograder.engine.grading.folders import held, run_folder, set_aside
from autograder.engine.grading.stages import carry_out
from autograder.engine.grading.task import Task, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import Lesson, find_lesson
from autograder.engine.pages import leave_feedback
from autograder.engine.report import Report, encode, read_report
from autograder.engine.text import speaking

ANSWER = "answer.json"
PAGES_S = 60.0


def work(task: Task, place: Path, supervisor: int) -> None:
    """Carry out a task and leave its report as `answer.json` in the private folder `place`."""
    end_with_parent(supervisor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _take_over(task, place)
    with speaking(task.how.lang):
        try:
            _work(task, place)
        except (SplotError, OSError) as error:
            _answer(task.ungraded(reason_of(error)), place)


def _take_over(task: Task, place: Path) -> None:
    """Work as if in the asker's place: in its directory, with its variables; only what is temporary goes to `place`."""
    os.environ.clear()
    os.environ.update(task.environment | {"TMPDIR": str(place)})
    tempfile.tempdir = None
    os.chdir(task.directory)


def _work(task: Task, place: Path) -> None:
    """Publish the report, answer, and only then draw pages: none of them may cost the grade."""
    with held(task.folder, group=task.how.group):
        report = carry_out(task)
        write_report(report, task.folder)
        _answer(report, place)
        with confined(replace(task.how.judge, seconds=PAGES_S)):
            leave_feedback(task.folder, task.assignment, task.how.lang)


def _answer(report: Report, place: Path) -> None:
    write_whole(place / ANSWER, encode(report))


@dataclass(frozen=True)
class Working:
    """A worker at its task, and the private folder it was given."""

    number: int
    task: Task
    process: ForkProcess
    place: Path


def _prepare(lesson: Lesson) -> None:
    """Import all that judging will need, and leave no thread that a fork would lose."""
    for module in lesson.heavy:
        importlib.import_module(module)
    lesson.threads(1)
    gather_probes(lesson)


def supervise(client: Connection, lessons: Sequence[str]) -> None:
    """Say where answers will lie, then carry out what comes, (number, task); each number goes back when it is done.

    What these lessons need is imported first; a task of another lesson takes longer, and is carried out as well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    conceal()
    for name in lessons:
        _prepare(find_lesson(name))
    gc.freeze()
    with run_folder() as run:
        client.send(run)
        try:
            _serve(client, run)
        except (EOFError, ConnectionError):
            return


def _serve(client: Connection, run: Path) -> None:
    working: dict[int, Working] = {}
    try:
        while True:
            ready = wait([client, *working])
            for sentinel in working.keys() & ready:
                client.send(_finished(working.pop(sentinel), run))
            if client in ready:
                number, task = client.recv()
                worker = _started(number, task, run)
                working[worker.process.sentinel] = worker
    finally:
        for worker in working.values():
            worker.process.kill()
            worker.process.join()


def _started(number: int, task: Task, run: Path) -> Working:
    place = run / str(number)
    place.mkdir()
    process = get_context("fork").Process(target=work, args=(task, place, getpid()))
    process.start()
    return Working(number, task, process, place)


def _finished(worker: Working, run: Path) -> int:
    """Leave the report of a worker that has ended, in its own words or in ours, where the client looks for it."""
    worker.process.join()
    try:
        report = read_report(worker.place / ANSWER)
    except (OSError, msgspec.DecodeError):
        report = set_aside(worker.task, _why(worker.process.exitcode or 0))
    worker.process.close()
    delete(worker.place)
    with suppress(SplotError):  # the client says so where there is none
        write_whole(run / f"{worker.number}.json", encode(report))
    return worker.number


def _why(status: int) -> str:
    died = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"The grader's own process {died}; grade this submission again."
