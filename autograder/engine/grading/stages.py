"""The stages of grading one submission: read, collect, judge, publish; on `auto` again with more data where they may decide.

What an earlier run has done with the same key is not done again: the whole report, or the evidence it was judged from.
"""

import os
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from autograder.engine.collecting import TIME_LIMITS, Collection, collect
from autograder.engine.errors import SplotError
from autograder.engine.evidence import FINDINGS_FILE, Evidence, delete_evidence, findings_or_none
from autograder.engine.files import PRIVATE, write_report, write_whole
from autograder.engine.grading.folders import lock_student_folder, withdraw_report
from autograder.engine.grading.judge_process import confined, forbid_tracing, judged
from autograder.engine.grading.keys import (
    evidence_key,
    is_evidence_of,
    is_evidence_with,
    profiles,
    renewed_key,
    report_key,
    unchanged_report,
)
from autograder.engine.grading.settle import last_open_cell, settle
from autograder.engine.grading.task import GradingTask, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Submission, read_submission
from autograder.engine.pages import FEEDBACK_FILE, leave_feedback
from autograder.engine.report import Key, Profile, Report, encode, read_report
from autograder.engine.sandbox import SandboxKind, require
from autograder.engine.text import in_language, say

PAGES_S = 60.0


def work(task: GradingTask, answer: Path) -> None:
    """Run a task in a worker, with the caller's directory, environment and umask, and write its report to `answer`.

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
    with in_language(task.how.lang):
        try:
            with lock_student_folder(task.folder, group=task.how.group):
                report = _up_to_date(task)
                write_whole(answer, encode(report))
                if not (task.folder / FEEDBACK_FILE).exists():
                    with confined(replace(task.how.judge, seconds=PAGES_S)):
                        leave_feedback(task.folder, task.assignment, task.how.lang)
        except (SplotError, OSError) as error:
            write_whole(answer, encode(task.ungraded(reason_of(error))))


def _up_to_date(task: GradingTask) -> Report:
    """Return the published report of a task: an earlier run's where nothing has changed since, else a new one."""
    with suppress(SplotError, OSError):
        if not (task.stored or task.how.force):
            submission = read_submission(task.notebook, task.assignment)
            report = unchanged_report(task, report_key(submission, task.assignment, task.how))
            if report is not None:
                return report
    before = None
    with suppress(OSError, msgspec.DecodeError):
        before = read_report(task.folder / "report.json").key
    withdraw_report(task.folder)
    report = carry_out(task, before)
    write_report(report, task.folder)
    return report


def carry_out(task: GradingTask, before: Key | None = None) -> Report:
    """Run a task and return its report; never raises: an error becomes the report's `reason`.

    `before` is the key of the report that was there, from which a stored submission's is made.
    """
    try:
        return _judged_again(task, before) if task.stored else _graded(task)
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        report = task.ungraded(reason_of(error))
    if task.stored:  # the evidence may say what it was taken from
        with suppress(SplotError):
            submission = Evidence(task.folder / "evidence").file.submission
            return msgspec.structs.replace(report, submission=submission)
    return report


@dataclass(frozen=True)
class _Run:
    """One run of a submission's notebook, to the cell `until` or to the end, and where its evidence goes."""

    profile: Profile
    dataset: str | None
    evidence: Path
    key: str
    until: str | None


def _graded(task: GradingTask) -> Report:
    """Read the submission; collect and judge, with more data as long as they may settle a check."""
    submission = _read(task)
    require(task.how.sandbox)
    dataset = find_lesson(task.assignment.lesson).dataset(submission)
    folder, until = task.folder / "evidence", None
    report: Report | None = None
    left = list(profiles(task.how))
    while left:
        profile = left.pop(0)
        evidence = folder if report is None else folder / profile
        key = evidence_key(submission, task.assignment, task.how, profile)
        if not is_evidence_with(evidence, key, until):
            _collect(submission, task, _Run(profile, dataset, evidence, key, until))
        report = _settled(task, report, evidence, submission.digest)
        if not report.may_gain:
            break
        until = last_open_cell(report, Evidence(folder))
        if until is None:  # a cell failed, perhaps for want of an image that only all data have
            left = left[-1:]
    assert report is not None
    return msgspec.structs.replace(report, key=report_key(submission, task.assignment, task.how))


def _read(task: GradingTask) -> Submission:
    """Read the submission; evidence of an earlier one goes first, since it must not be judged in this one's place."""
    folder, submission = task.folder / "evidence", None
    try:
        submission = read_submission(task.notebook, task.assignment)
    finally:
        if task.how.force or submission is None or not is_evidence_of(folder, submission.digest):
            delete_evidence(folder)
    return submission


def _collect(submission: Submission, task: GradingTask, run: _Run) -> None:
    how, lesson = task.how, find_lesson(task.assignment.lesson)
    weakness = say(
        pl="Oceniono bez piaskownicy (--sandbox none): kod z notebooka mógł czytać i zmieniać pliki tego komputera.",
        en="Graded without a sandbox (--sandbox none): the code could read and change this machine's files.",
    )
    collection = Collection(
        profile=run.profile,
        data=lesson.data(run.profile),
        sandbox=how.sandbox,
        limits=how.limits,
        time=TIME_LIMITS[run.profile].within(how.time_limit),
        dataset=run.dataset,
        notes=(weakness,) if how.sandbox is SandboxKind.NONE else (),
        probes=gather_probes(lesson),
        schema=lesson.schema,
        code=lesson.code,
        recorders=lesson.recorders,
        key=run.key,
        until=run.until,
    )
    collect(submission, task.assignment.name, collection, run.evidence)


def _judged_again(task: GradingTask, before: Key | None) -> Report:
    """Judge all evidence that is stored, that of the first run and of those on more data."""
    folder = task.folder / "evidence"
    file = Evidence(folder).file
    report = _settled(task, None, folder, None)
    for profile in (Profile.MEDIUM, Profile.FULL):
        if report.may_gain and (folder / profile / "evidence.json").exists():
            report = _settled(task, report, folder / profile, file.digest)
    if before is not None and (before.evidence, before.notebook) == (file.key, file.digest):
        return msgspec.structs.replace(report, key=renewed_key(before, task.assignment, task.how))
    return report


def _settled(task: GradingTask, before: Report | None, evidence: Path, digest: str | None) -> Report:
    """Judge one folder of evidence, and settle with it what an earlier report left open."""
    report = judged(task, evidence, digest)
    if before is None:
        return report
    lesson, folder = find_lesson(task.assignment.lesson), task.folder / "evidence"
    found = lesson.join(findings_or_none(folder, lesson.findings), findings_or_none(evidence, lesson.findings))
    with suppress(SplotError):  # without findings the pages show less
        write_whole(folder / FINDINGS_FILE, msgspec.json.encode(found), PRIVATE)
    return settle(before, report)
