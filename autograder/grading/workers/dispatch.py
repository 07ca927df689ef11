"""Hand tasks to a supervisor, so many at a time, and yield their reports as they are done."""

import atexit
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from autograder.errors import GraderError
from autograder.grading.held import set_aside
from autograder.grading.task import Task
from autograder.grading.workers.client import Supervisor
from autograder.report import Report

ENDED = "The grader's own processes were ended; grade this submission again."
LOST = "The report got lost on the way, perhaps on a full disk; make room, then grade this submission again."

Waiting = deque[tuple[int, Task]]
UnderWay = dict[int, Task]

_idle: list[Supervisor] = []
"""Supervisors without a task, kept for the next: importing everything takes seconds."""


def each(tasks: Iterable[Task], at_once: int = 1, stopped: Callable[[], bool] = lambda: False) -> Iterator[Report]:
    """Yield the report of each task as it is done, `at_once` at a time; end early when `stopped` says so.

    Whoever stops in the middle, by closing the generator too, ends what is under way. Raises `GraderError` where no
    supervisor can be started.
    """
    waiting: Waiting = deque(enumerate(tasks))
    while waiting and not stopped():
        supervisor = _idle.pop() if _idle else Supervisor()
        under_way: UnderWay = {}
        ended = True
        try:
            yield from _served(supervisor, waiting, under_way, at_once, stopped)
            ended = bool(under_way)
        except (EOFError, OSError) as error:
            if supervisor.complaint:
                raise GraderError(f"The grader did not start: {supervisor.complaint}.") from error
        finally:
            supervisor.dismiss() if ended else _idle.append(supervisor)
        if not stopped():
            yield from [set_aside(task, ENDED) for task in under_way.values()]


def _served(
    supervisor: Supervisor, waiting: Waiting, under_way: UnderWay, at_once: int, stopped: Callable[[], bool]
) -> Iterator[Report]:
    """Keep a supervisor busy; raises `EOFError` or `OSError` where it is gone."""
    while (waiting or under_way) and not stopped():
        while waiting and len(under_way) < at_once:
            number, task = waiting.popleft()
            under_way[number] = task
            supervisor.send(number, task)
        done = supervisor.done()
        if done is not None:
            number, report = done
            yield report or set_aside(under_way[number], LOST)
            del under_way[number]


@atexit.register
def _dismiss() -> None:
    while _idle:
        _idle.pop().dismiss()
