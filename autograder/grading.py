"""Grade one submission: read, collect, judge, publish; on `auto` first with little data, again with all if that decides.

The stages stand in `grade`, in order. Whatever a notebook does, a report is written.
"""

import traceback
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from autograder.assignment import Assignment
from autograder.choice import chosen_dataset
from autograder.collect import TIME_LIMITS, Collection, TimeLimits, collect
from autograder.errors import GraderError, SplotError
from autograder.evidence import Evidence
from autograder.judge import gather_probes, judge
from autograder.language import Lang, say, speaking
from autograder.profiles import data_folder
from autograder.publish.files import write_report
from autograder.report import Outcome, Profile, Report, Timing
from autograder.sandbox import Limits, SandboxKind, require
from autograder.submission import Submission, read_submission, student_of
from reference.data import Dataset


@dataclass(frozen=True)
class Grading:
    """How to grade: what the command's options say."""

    out: Path
    profile: Profile = Profile.AUTO
    lang: Lang = Lang.PL
    sandbox: SandboxKind = SandboxKind.BWRAP
    time_limit: float | None = None
    limits: Limits = field(default_factory=Limits)


def grade(path: Path, assignment: Assignment, how: Grading) -> Report:
    """Grade the notebook at `path` and write its report below `how.out`; never raises for what is in the notebook."""
    with speaking(how.lang):
        student = student_of(path, assignment.name)
        try:
            report = _graded(read_submission(path, assignment), assignment, how)
        except SplotError as error:
            report = ungraded(path, student, assignment, how, str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
            report = ungraded(path, student, assignment, how, fault(error))
        write_report(report, folder_of(how.out, student, assignment))
    return report


def folder_of(out: Path, student: str, assignment: Assignment) -> Path:
    """Where a student's report and evidence are kept."""
    return out / student / assignment.name


def _graded(submission: Submission, assignment: Assignment, how: Grading) -> Report:
    """Collect and judge; on `auto` a second time on `full` where `quick` leaves something open."""
    require(how.sandbox)
    dataset = chosen_dataset(submission)
    first = Profile.QUICK if how.profile is Profile.AUTO else how.profile
    report = _once(submission, assignment, how, first, dataset)
    if how.profile is Profile.AUTO and report.undecided:
        again = _once(submission, assignment, how, Profile.FULL, dataset)
        return msgspec.structs.replace(again, timing=_sum(report.timing, again.timing))
    return report


def _once(submission: Submission, assignment: Assignment, how: Grading, profile: Profile, dataset: Dataset) -> Report:
    folder = folder_of(how.out, submission.student, assignment) / "evidence"
    time = TIME_LIMITS[profile]
    if how.time_limit is not None:
        time = TimeLimits(min(time.cell, how.time_limit), how.time_limit)
    collection = Collection(
        profile=profile,
        data=data_folder(profile),
        sandbox=how.sandbox,
        limits=how.limits,
        time=time,
        dataset=dataset,
        notes=_weaknesses(how.sandbox),
        probes=gather_probes(),
    )
    collect(submission, assignment.name, collection, folder)
    return judge(folder, assignment, how.lang)


def _weaknesses(sandbox: SandboxKind) -> tuple[str, ...]:
    """What is weaker on this machine than it should be, for the report's notes."""
    if sandbox is SandboxKind.NONE:
        return (
            say(
                pl="Oceniono bez piaskownicy (--sandbox none): kod z notebooka mógł czytać i zmieniać pliki tego komputera.",
                en="Graded without a sandbox (--sandbox none): the code could read and change this machine's files.",
            ),
        )
    return ()


def _sum(first: Timing, second: Timing) -> Timing:
    """Both runs' time: that is what grading took."""
    return Timing(*(round(getattr(first, name) + getattr(second, name), 3) for name in Timing.__struct_fields__))


def regrade(folder: Path, assignment: Assignment, lang: Lang) -> Report:
    """Judge the evidence below one student's folder again, and write the report anew; no student code runs."""
    with speaking(lang):
        evidence = Evidence(folder / "evidence")
        try:
            report = judge(evidence.folder, assignment, lang)
        except GraderError as error:
            how = Grading(out=folder.parent.parent, lang=lang)
            report = ungraded(Path(evidence.file.submission), evidence.file.student, assignment, how, str(error))
        write_report(report, folder)
    return report


def fault(error: Exception) -> str:
    """Say where the grader itself broke."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"The grader broke ({type(error).__name__} in {Path(last.filename).name}, line {last.lineno}): report it, please."


def ungraded(path: Path, student: str, assignment: Assignment, how: Grading, reason: str) -> Report:
    """Return the report of a submission that the grader could not judge: a reason, and no points at all."""
    return Report(
        submission=str(path),
        student=student,
        assignment=assignment.name,
        profile=how.profile,
        dataset=None,
        sandbox=how.sandbox,
        status=Outcome.UNGRADED,
        reason=reason,
    )
