"""A task: one submission to grade, or one student's evidence to judge again, and how."""

import os
import re
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from autograder.engine.errors import SplotError
from autograder.engine.notebook import Assignment, student_of
from autograder.engine.report import Outcome, Profile, Report
from autograder.engine.sandbox import Limits, SandboxKind
from autograder.engine.text import Lang


@dataclass(frozen=True)
class JudgeLimits:
    """What judging one submission's evidence may take: the evidence is untrusted."""

    seconds: float = 900.0
    """Wall time of all of it, each time that it is judged."""
    part_seconds: float = 180.0
    """Wall time of each model, and of what else the checks of one cell do."""
    memory_mb: int = 6144
    """Address space, in MiB, beyond what the judge's process starts with."""


@dataclass(frozen=True)
class Grading:
    """How to grade: what the command's options say."""

    out: Path
    profile: Profile = Profile.AUTO
    lang: Lang = Lang.PL
    sandbox: SandboxKind = SandboxKind.BWRAP
    time_limit: float | None = None
    limits: Limits = field(default_factory=Limits)
    judge: JudgeLimits = field(default_factory=JudgeLimits)
    group: bool = False
    """Whether the group may read and write reports and pages: nbgrader's `groupshared`. Evidence is never shared."""


def _umask() -> int:
    """Return this process's umask: `os.umask` could only tell it by setting another one."""
    found = re.search(r"^Umask:\s+(\d+)$", Path("/proc/self/status").read_text("utf-8", "replace"), re.MULTILINE)
    return int(found[1], 8) if found else 0o077


@dataclass(frozen=True)
class Task:
    """One student's: `notebook` is to be graded, or, where it is None, the evidence in `folder` judged again."""

    notebook: Path | None
    student: str
    folder: Path
    assignment: Assignment
    how: Grading
    directory: str = field(default_factory=os.getcwd)
    """Where relative paths start, `environment` what the variables are and `umask` the umask, for the process that asks."""
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    umask: int = field(default_factory=_umask)
    made: float = field(default_factory=time.time)
    """When the task was asked for, in seconds since the epoch."""

    def ungraded(self, reason: str) -> Report:
        """Return the report of what the grader could not judge: a reason, and no points at all."""
        return Report(
            submission=str(self.notebook or self.folder / "evidence"),
            student=self.student,
            assignment=self.assignment.name,
            profile=self.how.profile,
            dataset=None,
            sandbox=self.how.sandbox,
            status=Outcome.UNGRADED,
            reason=reason,
        )


def to_grade(notebook: Path, assignment: Assignment, how: Grading) -> Task:
    """Make the task of grading one notebook."""
    student = student_of(notebook, assignment.name)
    return Task(notebook, student, folder_of(how.out, student, assignment), assignment, how)


def to_judge(folder: Path, assignment: Assignment, how: Grading) -> Task:
    """Make the task of judging one student's evidence again; `folder` is graded/<student>/<assignment>/."""
    student = Path(os.path.abspath(folder)).parent.name  # noqa: PTH100 - a link must not lend another's name
    return Task(None, student, folder, assignment, how)


def folder_of(out: Path, student: str, assignment: Assignment) -> Path:
    """Where a student's report and evidence are kept."""
    return out / student / assignment.name


def reason_of(error: Exception) -> str:
    """Say in a sentence why a task cannot be carried out: what the machine would not do, or where the grader broke."""
    if isinstance(error, SplotError):
        return str(error)
    if isinstance(error, OSError) and error.strerror is not None:  # without the system's word for it, it is our own
        where = f"{error.filename} cannot be used" if error.filename else "A file cannot be read or written"
        return f"{where} ({error.strerror}): make room or choose another --out, then grade again."
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"The grader broke ({type(error).__name__} in {Path(last.filename).name}, line {last.lineno}): report it, please."
