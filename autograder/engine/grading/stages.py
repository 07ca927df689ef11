"""The stages of grading one submission, in order: read, collect, judge; on `auto` again with all data if something is open."""

from contextlib import suppress

import msgspec

from autograder.engine.collecting import TIME_LIMITS, Collection, collect
from autograder.engine.errors import SplotError
from autograder.engine.evidence import Evidence, withdraw
from autograder.engine.grading.judging import judged
from autograder.engine.grading.task import Task, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Submission, read_submission
from autograder.engine.report import Profile, Report, Timing
from autograder.engine.sandbox import SandboxKind, require
from autograder.engine.text import say


def carry_out(task: Task) -> Report:
    """Return the report of a task; never raises: whatever goes wrong stands in it as the reason."""
    try:
        return _graded(task) if task.notebook is not None else judged(task)
    except Exception as error:  # noqa: BLE001 - a fault of ours costs this report, not the class
        return _ungraded(task, reason_of(error))


def _ungraded(task: Task, reason: str) -> Report:
    """Return what `Task.ungraded` does, with the submission that stored evidence was taken from where it says so."""
    report = task.ungraded(reason)
    if task.notebook is None:
        with suppress(SplotError):
            submission = Evidence(task.folder / "evidence").file.submission
            return msgspec.structs.replace(report, submission=submission)
    return report


def _graded(task: Task) -> Report:
    """Collect and judge; on `auto` a second time on `full` where `quick` leaves something open."""
    assert task.notebook is not None
    how = task.how
    withdraw(task.folder / "evidence")
    submission = read_submission(task.notebook, task.assignment)
    require(how.sandbox)
    dataset = find_lesson(task.assignment.lesson).dataset(submission)
    report = _once(submission, task, Profile.QUICK if how.profile is Profile.AUTO else how.profile, dataset)
    if how.profile is Profile.AUTO and report.undecided:
        again = _once(submission, task, Profile.FULL, dataset)
        return msgspec.structs.replace(again, timing=_sum(report.timing, again.timing))
    return report


def _once(submission: Submission, task: Task, profile: Profile, dataset: str | None) -> Report:
    how, lesson = task.how, find_lesson(task.assignment.lesson)
    collection = Collection(
        profile=profile,
        data=lesson.data(profile),
        sandbox=how.sandbox,
        limits=how.limits,
        time=TIME_LIMITS[profile].within(how.time_limit),
        dataset=dataset,
        notes=_weaknesses(how.sandbox),
        probes=gather_probes(lesson),
        schema=lesson.schema,
        code=lesson.code,
        recorders=lesson.recorders,
    )
    collect(submission, task.assignment.name, collection, task.folder / "evidence")
    return judged(task, submission.digest)


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
