"""The stages of grading one submission: read, collect, judge, publish; on `auto` again with more data where they may decide.

What an earlier run has done with the same key is not done again: the whole report, or the evidence it was judged from.
"""

import os
import re
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec

from autograder.engine.collecting import TIME_LIMITS, Collection, Turn, collect
from autograder.engine.errors import SplotError
from autograder.engine.evidence import FINDINGS_FILE, Evidence, Probe, delete_evidence, findings_or_none, is_evidence_of
from autograder.engine.files import PRIVATE, write_report, write_whole
from autograder.engine.grading.early_judge import EarlyJudge, early_judge
from autograder.engine.grading.folders import lock_student_folder, withdraw_report
from autograder.engine.grading.judge_process import confined, forbid_tracing, judged
from autograder.engine.grading.keys import (
    evidence_key,
    is_evidence_with,
    profiles,
    renewed_key,
    report_key,
    requests_digest,
    unchanged_report,
)
from autograder.engine.grading.settle import last_open_cell, settle
from autograder.engine.grading.task import Finished, GradingTask, Work, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Submission, read_submission
from autograder.engine.outcomes import is_cut_short
from autograder.engine.pages import leave_feedback
from autograder.engine.report import FEEDBACK_FILE, Key, Outcome, Profile, Report, encode, read_report
from autograder.engine.sandbox import GPU, SandboxKind, lent_gpu, require
from autograder.engine.text import in_language, say

PAGES_S = 60.0
CUDA_MEMORY_MB = 2048
"""What CUDA's libraries take of the machine's memory, however little a notebook does with them."""
GPU_FAILURE = re.compile(rb'"message":\s*"(?:[^"\\]|\\.)*(?:cuda|cudnn|cublas|nvidia)', re.IGNORECASE)
"""In `evidence.json` an exception that names a GPU: its memory is full, its driver fails, code works on a processor only."""


def work(task: GradingTask, answer: Path, turn: Turn | None = None, *, alone: bool = False) -> None:
    """Run a task in a worker, with the caller's directory, environment and umask, and write the `Finished` task to `answer`.

    The notebook waits for its `turn`, if it has one. With `alone` what judging needs is not
    imported yet; a process of its own does so while the notebook runs.

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
                write_whole(answer, encode(Stages(task, early, turn).up_to_date()))
                if not (task.folder / FEEDBACK_FILE).exists():
                    with confined(replace(task.how.judge, seconds=PAGES_S)):
                        leave_feedback(task.folder, task.assignment, task.how.lang)
        except (SplotError, OSError) as error:
            write_whole(answer, encode(Finished(task.ungraded(reason_of(error)))))


@dataclass(frozen=True)
class _PlannedRun:
    """One run of a submission's notebook, to the cell `until` or to the end, and where its evidence goes."""

    profile: Profile
    dataset: str | None
    evidence: Path
    until: str | None


class Stages:
    """One task on its way, in its locked folder; `early` is the process that judges where this one did not import the graders.

    The notebook waits for its `turn`, if it has one.
    """

    def __init__(self, task: GradingTask, early: EarlyJudge | None = None, turn: Turn | None = None) -> None:
        self.task = task
        self.folder = task.folder / "evidence"
        self.early = early
        self.turn = turn
        self._ran = False

    def up_to_date(self) -> Finished:
        """Return the published report: an earlier run's where nothing has changed since, else a new one."""
        before = None
        with suppress(OSError, msgspec.DecodeError):
            before = read_report(self.task.folder / "report.json").key
        if before is not None and not (self.task.stored or self.task.how.force):
            with suppress(SplotError, OSError):
                report = unchanged_report(
                    self.task, self._key(read_submission(self.task.notebook, self.task.assignment))
                )
                if report is not None:
                    return Finished(report, Work.UNCHANGED)
        withdraw_report(self.task.folder)
        report = self._new(before)
        write_report(report, self.task.folder)
        only_judged = report.status is Outcome.GRADED and not self._ran
        return Finished(report, Work.JUDGED if only_judged else Work.GRADED)

    def _new(self, before: Key | None) -> Report:
        """Carry out the task and return its report; never raises: an error becomes the report's `reason`.

        `before` is the key of the report that was there, from which a stored submission's is made.
        """
        try:
            return self._judged_again(before) if self.task.stored else self._graded()
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
            report = self.task.ungraded(reason_of(error))
        if self.task.stored:  # the evidence may say what it was taken from
            with suppress(SplotError):
                return msgspec.structs.replace(report, submission=Evidence(self.folder).file.submission)
        return report

    def _graded(self) -> Report:
        """Read the submission; collect and judge, with more data as long as they may settle a check."""
        submission = self._read()
        require(self.task.how.sandbox)
        dataset = find_lesson(self.task.assignment.lesson).dataset(submission)
        until: str | None = None
        report: Report | None = None
        left = list(profiles(self.task.how))
        while left:
            profile = left.pop(0)
            evidence = self.folder if report is None else self.folder / profile
            collected = (evidence / "evidence.json").exists()
            if not (collected and is_evidence_with(evidence, self._evidence_key(submission, profile), until)):
                self._collect(submission, _PlannedRun(profile, dataset, evidence, until))
            report = self._settled(report, evidence, submission.digest)
            if not report.may_gain:
                break
            until = last_open_cell(report, Evidence(self.folder))
            if until is None:  # a cell failed, perhaps for want of an image that only all data have
                left = left[-1:]
        assert report is not None
        return msgspec.structs.replace(report, key=self._key(submission))

    def _read(self) -> Submission:
        """Read the submission; evidence of an earlier one goes first, since it must not be judged in this one's place."""
        submission = None
        try:
            submission = read_submission(self.task.notebook, self.task.assignment)
        finally:
            if self.task.how.force or submission is None or not is_evidence_of(self.folder, submission.digest):
                delete_evidence(self.folder)
        return submission

    def _collect(self, submission: Submission, run: _PlannedRun) -> None:
        """Run the notebook; where it failed with a GPU, once more without: nobody may lose points by how the class was graded."""
        if self.task.how.gpu:
            with lent_gpu() as gpu:
                self._run(submission, run, gpu)
            if GPU_FAILURE.search((run.evidence / "evidence.json").read_bytes()) is None:
                return
        self._run(submission, run)

    def _run(self, submission: Submission, run: _PlannedRun, gpu: GPU | None = None) -> None:
        how, lesson = self.task.how, find_lesson(self.task.assignment.lesson)
        limits = how.limits
        if gpu is not None:
            limits = replace(limits, memory_mb=limits.memory_mb + CUDA_MEMORY_MB)
        weakness = say(
            pl="Oceniono bez piaskownicy (--sandbox none): kod z notebooka mógł czytać i zmieniać pliki tego komputera.",
            en="Graded without a sandbox (--sandbox none): the code could read and change this machine's files.",
        )
        notes = (weakness,) if how.sandbox is SandboxKind.NONE else (_gpu_note(gpu),) if how.gpu else ()
        collection = Collection(
            profile=run.profile,
            data=lesson.data(run.profile),
            sandbox=how.sandbox,
            gpu=gpu,
            limits=limits,
            time=TIME_LIMITS[run.profile].within(how.time_limit),
            dataset=run.dataset,
            notes=notes,
            probes=self._probes,
            schema=lesson.schema,
            code=lesson.code,
            recorders=lesson.recorders,
            key=lambda: self._evidence_key(submission, run.profile),
            until=run.until,
            turn=self.turn,
            imports=lesson.imports,
        )
        self._ran = True
        collect(submission, self.task.assignment.name, collection, run.evidence)

    def _judged_again(self, before: Key | None) -> Report:
        """Judge all evidence that is stored, that of the first run and of those on more data."""
        file = Evidence(self.folder).file
        report = self._settled(None, self.folder, None)
        for profile in (Profile.MEDIUM, Profile.FULL):
            if report.may_gain and (self.folder / profile / "evidence.json").exists():
                report = self._settled(report, self.folder / profile, file.digest)
        if before is not None and (before.evidence, before.notebook) == (file.key, file.digest):
            return msgspec.structs.replace(report, key=renewed_key(before, self.task.assignment, self.task.how))
        return report

    def _settled(self, before: Report | None, evidence: Path, digest: str | None) -> Report:
        """Judge one folder of evidence, and settle with it what an earlier report left open."""
        judge = judged if self.early is None else self.early.judged
        report = judge(self.task, evidence, digest)
        if before is None:
            return report
        lesson = find_lesson(self.task.assignment.lesson)
        found = lesson.join(findings_or_none(self.folder, lesson.findings), findings_or_none(evidence, lesson.findings))
        with suppress(SplotError):  # without findings the pages show less
            write_whole(self.folder / FINDINGS_FILE, msgspec.json.encode(found), PRIVATE)
        return settle(before, report, failed_too=is_cut_short(Evidence(self.folder)))

    @cached_property
    def _probes(self) -> Mapping[str, Sequence[Probe]]:
        """What the graders ask for, by test cell."""
        return gather_probes(find_lesson(self.task.assignment.lesson)) if self.early is None else self.early

    @cached_property
    def _requests(self) -> str:
        return requests_digest(self._probes)

    def _evidence_key(self, submission: Submission, profile: Profile) -> str:
        return evidence_key(submission, self.task.assignment, self.task.how, profile, self._requests)

    def _key(self, submission: Submission) -> Key:
        return report_key(submission, self.task.assignment, self.task.how, self._requests)


def _gpu_note(gpu: GPU | None) -> str:
    """Say in a report of `--gpu` what a notebook ran with."""
    if gpu is not None:
        return say(pl="Notebook mógł korzystać z karty graficznej (GPU).", en="The notebook could use a GPU.")
    return say(
        pl="Z kartą graficzną (GPU) notebook się nie powiódł, więc został wykonany jeszcze raz, bez niej.",
        en="The notebook failed with a GPU, so it was run once more, without one.",
    )
