"""The stages of grading one submission, in order: read, collect, judge, publish; on `auto` the middle ones perhaps twice."""

import os
import signal
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from autograder.engine.collecting import TIME_LIMITS, Collection, collect
from autograder.engine.errors import SplotError
from autograder.engine.evidence import Evidence, withdraw
from autograder.engine.files import write_report, write_whole
from autograder.engine.grading.folders import held
from autograder.engine.grading.judge_process import conceal, confined, judged
from autograder.engine.grading.task import Task, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Submission, read_submission
from autograder.engine.pages import leave_feedback
from autograder.engine.report import Profile, Report, Timing, encode
from autograder.engine.sandbox import SandboxKind, require
from autograder.engine.text import say, speaking

PAGES_S = 60.0


def work(task: Task, answer: Path) -> None:
    """Carry out a task in a worker process, as in the process that asks for it, and write its report to `answer`.

    The report is published and answered before pages are drawn: none of them may cost the grade. Raises `SplotError`
    where `answer` cannot be written.
    """
    conceal()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(task.environment | {"TMPDIR": str(answer.parent)})
    tempfile.tempdir = None
    os.umask(task.umask)
    os.chdir(task.directory)
    with speaking(task.how.lang):
        try:
            with held(task.folder, group=task.how.group):
                report = carry_out(task)
                write_report(report, task.folder)
                write_whole(answer, encode(report))
                with confined(replace(task.how.judge, seconds=PAGES_S)):
                    leave_feedback(task.folder, task.assignment, task.how.lang)
        except (SplotError, OSError) as error:
            write_whole(answer, encode(task.ungraded(reason_of(error))))


def carry_out(task: Task) -> Report:
    """Return the report of a task; never raises: whatever goes wrong stands in it as the reason."""
    try:
        return _graded(task, task.notebook) if task.notebook is not None else judged(task)
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        report = task.ungraded(reason_of(error))
    if task.notebook is None:  # stored evidence may say what it was taken from
        with suppress(SplotError):
            submission = Evidence(task.folder / "evidence").file.submission
            return msgspec.structs.replace(report, submission=submission)
    return report


def _graded(task: Task, notebook: Path) -> Report:
    """Read, collect and judge; on `auto` a second time on `full` where `quick` leaves something open."""
    withdraw(task.folder / "evidence")
    submission = read_submission(notebook, task.assignment)
    require(task.how.sandbox)
    dataset = find_lesson(task.assignment.lesson).dataset(submission)
    auto = task.how.profile is Profile.AUTO
    report = _once(submission, task, Profile.QUICK if auto else task.how.profile, dataset)
    if auto and report.undecided:
        again = _once(submission, task, Profile.FULL, dataset)
        fields = Timing.__struct_fields__
        both = Timing(*(round(getattr(report.timing, name) + getattr(again.timing, name), 3) for name in fields))
        return msgspec.structs.replace(again, timing=both)
    return report


def _once(submission: Submission, task: Task, profile: Profile, dataset: str | None) -> Report:
    how, lesson = task.how, find_lesson(task.assignment.lesson)
    weakness = say(
        pl="Oceniono bez piaskownicy (--sandbox none): kod z notebooka mógł czytać i zmieniać pliki tego komputera.",
        en="Graded without a sandbox (--sandbox none): the code could read and change this machine's files.",
    )
    collection = Collection(
        profile=profile,
        data=lesson.data(profile),
        sandbox=how.sandbox,
        limits=how.limits,
        time=TIME_LIMITS[profile].within(how.time_limit),
        dataset=dataset,
        notes=(weakness,) if how.sandbox is SandboxKind.NONE else (),
        probes=gather_probes(lesson),
        schema=lesson.schema,
        code=lesson.code,
        recorders=lesson.recorders,
    )
    collect(submission, task.assignment.name, collection, task.folder / "evidence")
    return judged(task, submission.digest)
