"""A grading task: one submission to grade or one student's evidence to judge again, with the settings."""

import os
import re
import signal
import traceback
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.engine.errors import SplotError
from autograder.engine.notebook import Assignment, refuse_overlap, student_of
from autograder.engine.report import Outcome, Profile, Report
from autograder.engine.sandbox import Limits, SandboxKind
from autograder.engine.text import Lang

FROM_TERMINAL = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
"""Signals that reach a whole process group: they are for the command alone."""


@dataclass(frozen=True)
class JudgeLimits:
    """Time and memory limits for judging one submission's evidence, which is untrusted."""

    seconds: float = 900.0
    """Wall time of one judgement; on `auto` a submission may be judged twice."""
    part_seconds: float = 180.0
    """Wall time of each part: one model, or the other work of one cell's checks."""
    memory_mb: int = 6144
    """Address space, in MiB, beyond what the judge's process starts with."""


@dataclass(frozen=True)
class Grading:
    """The grading settings, as given by the command's options."""

    out: Path
    profile: Profile = Profile.AUTO
    lang: Lang = Lang.PL
    sandbox: SandboxKind = SandboxKind.BWRAP
    gpu: bool = False
    """Whether the sandbox may use a GPU, one student at a time."""
    time_limit: float | None = None
    limits: Limits = field(default_factory=Limits)
    judge: JudgeLimits = field(default_factory=JudgeLimits)
    force: bool = False
    """Whether to run and judge again what an earlier run has done with the same key."""
    group: bool = False
    """Whether the group may read and write reports and pages: nbgrader's `groupshared`. Evidence is never shared."""


def _umask() -> int:
    """Return this process's umask from /proc, since `os.umask` cannot read it without changing it."""
    found = re.search(r"^Umask:\s+(\d+)$", Path("/proc/self/status").read_text("utf-8", "replace"), re.MULTILINE)
    return int(found[1], 8) if found else 0o077


@dataclass(frozen=True)
class GradingTask:
    """One student's task: grade a notebook, or, if `stored`, judge the evidence in `folder` again, where no code is run.

    `notebook` is the submission; of a stored one only the evidence is there.
    """

    notebook: Path
    student: str
    folder: Path
    assignment: Assignment
    how: Grading
    stored: bool = False
    directory: str = field(default_factory=os.getcwd)
    """The working directory of the process that makes the task; `environment` and `umask` are also that process's."""
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    umask: int = field(default_factory=_umask)

    def ungraded(self, reason: str) -> Report:
        """Return an `ungraded` report with this reason and no points."""
        return Report(
            submission=str(self.notebook),
            student=self.student,
            assignment=self.assignment.name,
            profile=self.how.profile,
            dataset=None,
            sandbox=self.how.sandbox,
            status=Outcome.UNGRADED,
            reason=reason,
        )


class Work(StrEnum):
    """What was done for a report: nothing, since nothing has changed; only judging, of evidence that was there; or all."""

    UNCHANGED = "unchanged"
    JUDGED = "judged"
    GRADED = "graded"


class Finished(msgspec.Struct, frozen=True):
    """What a worker returns of a task: its report, and what it did for it; of an ungraded one it is `GRADED`."""

    report: Report
    work: Work = Work.GRADED


def to_grade(notebook: Path, assignment: Assignment, how: Grading) -> GradingTask:
    """Make the task of grading one notebook."""
    student = student_of(notebook, assignment.name)
    return GradingTask(notebook, student, folder_of(how.out, student, assignment), assignment, how)


def tasks_of(paths: list[Path], assignment: Assignment, how: Grading) -> list[GradingTask]:
    """Return the task of each submission; raises `SplotError` where two would be written to one folder, or one into another."""
    seen: dict[str, Path] = {}
    for path in paths:
        student = student_of(path, assignment.name)
        if student in seen:
            raise SplotError(
                f"{seen[student]} and {path} would both be graded as {student}; "
                f"lay them out as <student>/{assignment.name}/, or grade them one by one with --out."
            )
        seen[student] = path
    folders = {path: folder_of(how.out, student, assignment) for student, path in seen.items()}
    refuse_overlap(folders, assignment.name, how.out, of_class=len(paths) > 1)
    return [to_grade(path, assignment, how) for path in paths]


def to_judge(folder: Path, assignment: Assignment, how: Grading) -> GradingTask:
    """Make the task of judging one student's evidence again; `folder` is graded/<student>/<assignment>/."""
    student = Path(os.path.abspath(folder)).parent.name  # noqa: PTH100 - a link must not give another student's name
    return GradingTask(folder / "evidence", student, folder, assignment, how, stored=True)


def folder_of(out: Path, student: str, assignment: Assignment) -> Path:
    """Where a student's report and evidence are kept."""
    return out / student / assignment.name


def reason_of(error: Exception) -> str:
    """Return one sentence on why a task failed: the system's error, or the place in the grader's code."""
    if isinstance(error, SplotError):
        return str(error)
    if isinstance(error, OSError) and error.strerror is not None:  # else raised by the grader itself
        where = f"{error.filename} cannot be used" if error.filename else "A file cannot be read or written"
        return f"{where} ({error.strerror}): make room or choose another --out, then grade again."
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"The grader broke ({type(error).__name__} in {Path(last.filename).name}, line {last.lineno}): report it, please."
