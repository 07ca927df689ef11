"""A worker: one task, in a process forked for it."""

import os
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

from autograder.errors import SplotError
from autograder.grading.confinement import confined, end_with_parent
from autograder.grading.held import held
from autograder.grading.stages import carry_out
from autograder.grading.task import Task, reason_of
from autograder.language import speaking
from autograder.publish.feedback import leave_feedback
from autograder.report import Report, encode
from autograder.wholefile import write_report, write_whole

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
