"""The stages of grading one submission: read, collect, judge, publish; on `auto` collect and judge may run twice."""

import os
import signal
import tempfile
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from autograder.engine.collecting import TIME_LIMITS, Collection, collect
from autograder.engine.errors import SplotError
from autograder.engine.evidence import Evidence, delete_evidence
from autograder.engine.files import write_report, write_whole
from autograder.engine.grading.early_judge import EarlyJudge, early_judge
from autograder.engine.grading.folders import lock_student_folder
from autograder.engine.grading.judge_process import confined, forbid_tracing, judged
from autograder.engine.grading.task import GradingTask, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Submission, read_submission
from autograder.engine.pages import leave_feedback
from autograder.engine.report import Profile, Report, Timing, encode
from autograder.engine.sandbox import SandboxKind, require
from autograder.engine.text import in_language, say

PAGES_S = 60.0


def work(task: GradingTask, answer: Path, *, alone: bool = False) -> None:
    """Run a task in a worker, with the caller's directory, environment and umask, and write its report to `answer`.

    With `alone` what judging needs is not imported yet; a process of its own does so while the notebook runs.

    The report is written before the pages: a failing page must not affect the grade. Raises `SplotError`
    where `answer` cannot be written.
    """
    forbid_tracing()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(task.environment | {"TMPDIR": str(answer.parent)})
    tempfile.tempdir = None
    os.umask(task.umask)
    os.chdir(task.directory)
    with in_language(task.how.lang), early_judge(task) if alone else nullcontext() as early:
        try:
            with lock_student_folder(task.folder, group=task.how.group):
                report = carry_out(task, early)
                write_report(report, task.folder)
                write_whole(answer, encode(report))
                with confined(replace(task.how.judge, seconds=PAGES_S)):
                    leave_feedback(task.folder, task.assignment, task.how.lang)
        except (SplotError, OSError) as error:
            write_whole(answer, encode(task.ungraded(reason_of(error))))


def carry_out(task: GradingTask, early: EarlyJudge | None = None) -> Report:
    """Run a task and return its report; never raises: an error becomes the report's `reason`."""
    try:
        if task.notebook is not None:
            return _graded(task, task.notebook, early)
        return judged(task) if early is None else early.judged()
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        report = task.ungraded(reason_of(error))
    if task.notebook is None:  # stored evidence may say what it was taken from
        with suppress(SplotError):
            submission = Evidence(task.folder / "evidence").file.submission
            return msgspec.structs.replace(report, submission=submission)
    return report


def _graded(task: GradingTask, notebook: Path, early: EarlyJudge | None) -> Report:
    """Read, collect and judge; on `auto` a second time on `full` where `quick` leaves something open."""
    delete_evidence(task.folder / "evidence")
    submission = read_submission(notebook, task.assignment)
    require(task.how.sandbox)
    dataset = find_lesson(task.assignment.lesson).dataset(submission)
    auto = task.how.profile is Profile.AUTO
    report = _once(submission, task, Profile.QUICK if auto else task.how.profile, dataset, early)
    if auto and report.undecided:
        again = _once(submission, task, Profile.FULL, dataset, early)
        fields = Timing.__struct_fields__
        both = Timing(*(round(getattr(report.timing, name) + getattr(again.timing, name), 3) for name in fields))
        return msgspec.structs.replace(again, timing=both)
    return report


def _once(
    submission: Submission, task: GradingTask, profile: Profile, dataset: str | None, early: EarlyJudge | None
) -> Report:
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
        probes=gather_probes(lesson) if early is None else early,
        schema=lesson.schema,
        code=lesson.code,
        recorders=lesson.recorders,
    )
    collect(submission, task.assignment.name, collection, task.folder / "evidence")
    return judged(task, submission.digest) if early is None else early.judged(submission.digest)
