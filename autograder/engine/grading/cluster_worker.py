"""What runs on a worker of a cluster: the proof that its machine may grade, and the grading of one submission at a time.

A worker needs the same Splot and the data set, nothing else of the course: the instructor's notebook comes with each
submission, and with it the seed of this submission alone. The course's secret stays on the command's machine.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import current_process
from pathlib import Path
from threading import Lock

import msgspec
from distributed import Worker, get_worker

from autograder.engine.collecting import versions
from autograder.engine.errors import EvidenceError, GraderError, SplotError
from autograder.engine.evidence import Evidence, pack_evidence, unpack_evidence
from autograder.engine.grading.keys import grader_digest
from autograder.engine.grading.pool import each
from autograder.engine.grading.task import Finished, Grading, GradingTask, folder_of, to_grade
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, Cell, Submission
from autograder.engine.report import FEEDBACK_FILE, Profile, encode
from autograder.engine.sandbox import require
from autograder.engine.text import printable

ROOM = 128 * 2**20
"""Bytes that a worker's disk must have free before it gets a submission."""
IN, OUT = Path("in"), Path("out")


@dataclass(frozen=True)
class Course:
    """What a worker must have in common with the command: the digest of the code that grades, versions of libraries."""

    digest: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Sent:
    """A submission on its way to a worker: its bytes, the settings, and where it lies on the command's machine.

    With it goes the evidence that an earlier run left of it: where its key still fits, it is only judged again.
    """

    content: bytes
    path: str
    parts: tuple[str, ...]
    """The last names of that path, from which the student's name is taken."""
    seed: str
    course: Course
    assignment: Assignment
    how: Grading
    evidence: Mapping[str, bytes]


@dataclass(frozen=True)
class PackedResults:
    """What a worker returns: the `Finished` task and the page, and the evidence by its path in the student's folder."""

    finished: bytes
    page: bytes | None
    evidence: Mapping[str, bytes]


def course_of(assignment: Assignment) -> Course:
    """Return what grades an assignment here."""
    return Course(grader_digest(assignment), versions())


_one_at_a_time = Lock()
_proved: set[str] = set()
"""Digests of the courses for which this process has proved itself."""


def prove(course: Course, assignment: Assignment, how: Grading) -> None:
    """Raise `GraderError`, with the reason, unless this machine has the same course, a sandbox, the data, and disk space."""
    _proved.discard(course.digest)
    mine = course_of(assignment)
    if mine.digest != course.digest:
        raise GraderError("Its Splot is not the command's: the graders or their settings differ; install the same one.")
    for name, version in course.versions.items():
        if mine.versions.get(name) != version:
            raise GraderError(f"It has {name} {mine.versions.get(name)}, the command {version}; install the same one.")
    require(how.sandbox, gpu=how.gpu)
    lesson = find_lesson(assignment.lesson)
    cells = tuple(Cell(cell.kind, cell.source, cell.grade_id) for cell in assignment.cells)
    lesson.dataset(Submission(Path(), "", "", cells, ()))  # the one that the instructor's notebook uses
    lesson.data(Profile.QUICK if how.profile is Profile.AUTO else how.profile)
    for folder in (tempfile.gettempdir(), get_worker().local_directory):
        if shutil.disk_usage(folder).free < ROOM:
            raise GraderError(f"The disk that holds {folder} has less than {ROOM // 2**20} MiB free; make room.")
    _proved.add(course.digest)


def grade_sent(sent: Sent) -> PackedResults | None:
    """Grade a submission in a folder of its own, as `splot grade` does on one machine; None if the command is gone.

    Raises `GraderError` if this process has not proved itself: Dask may have restarted it since.
    """
    if sent.course.digest not in _proved:
        raise GraderError("It was restarted, and has not proved itself again.")
    worker = get_worker()
    # The processes of a Dask nanny are "daemonic", which may have no children in multiprocessing.
    vars(current_process())["_config"]["daemon"] = False
    with (
        _one_at_a_time,  # a worker may have several threads, or two commands
        tempfile.TemporaryDirectory(prefix="splot-", dir=worker.local_directory, ignore_cleanup_errors=True) as folder,
    ):
        root = Path(folder)
        notebook = IN.joinpath(*sent.parts)
        (root / notebook).parent.mkdir(parents=True)
        (root / notebook).write_bytes(sent.content)
        task = _task(sent, notebook, root, worker.state.nthreads)
        (root / task.folder).mkdir(parents=True)
        with suppress(EvidenceError):  # what is none of evidence does not come along
            unpack_evidence(sent.evidence, root / task.folder)
        done = list(each([task], stopped=_ended(worker)))
        return _results(done[0], root, sent, str(notebook)) if done else None


def _task(sent: Sent, notebook: Path, root: Path, threads: int) -> GradingTask:
    """Make the task; paths are relative to `root`, so that no text in the results depends on the machine."""
    cores = max(1, min(threads, len(os.sched_getaffinity(0))))
    limits = replace(sent.how.limits, cores=cores, shared=cores < len(os.sched_getaffinity(0)))
    how = replace(sent.how, out=OUT, limits=limits, group=False)
    task = to_grade(notebook, sent.assignment, how)
    return replace(task, directory=str(root), environment=os.environ | {"SPLOT_SUBMISSION_SEED": sent.seed})


def _ended(worker: Worker) -> Callable[[], bool]:
    """Return a function that says whether nobody waits for the task of this thread any more, or its worker ends."""
    key = worker.get_current_task()

    def ended() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state != "executing" or worker.status.name not in {"running", "paused"}

    return ended


def _results(done: Finished, root: Path, sent: Sent, here: str) -> PackedResults:
    """Pack the results; the submission's path on the command's machine takes the place of `here`, its path on this one."""
    report = done.report
    folder = root / folder_of(OUT, report.student, sent.assignment)
    there = sent.path.encode(errors="replace").decode()
    reason = report.reason and report.reason.replace(here, printable(there))
    done = Finished(msgspec.structs.replace(report, submission=there, reason=reason), done.work)
    evidence = pack_evidence(folder)
    with suppress(SplotError):
        file = msgspec.structs.replace(Evidence(folder / "evidence").file, submission=there)
        evidence["evidence/evidence.json"] = msgspec.json.encode(file)
    page = folder / FEEDBACK_FILE
    return PackedResults(encode(done), page.read_bytes() if page.exists() else None, evidence)
