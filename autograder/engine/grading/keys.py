"""What a report and its evidence were made of, so that nothing is done twice: the key of each, and whether it still fits.

Evidence depends on the cells that ran, the code that ran and asked them, the data, the secret, limits and versions; a report
on the graders as well.
"""

import hashlib
import importlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import msgspec

from autograder import engine
from autograder.engine.collecting import TIME_LIMITS, versions
from autograder.engine.errors import SplotError
from autograder.engine.evidence import Evidence, Probe, seed_for, write_requests
from autograder.engine.grading.task import Grading, GradingTask
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import Assignment, Submission
from autograder.engine.report import Key, Outcome, Profile, Report, read_report
from autograder.engine.sandbox import Limits

ENGINE = Path(engine.__file__).parent
COLLECTING = tuple(ENGINE / name for name in ("collecting", "evidence", "inside", "notebook", "sandbox"))
"""The packages on which evidence depends."""
DEFAULTS = Limits()
BLOCK, BLOCKS = 4096, 64
SOURCES = frozenset({".css", ".html", ".ini", ".js", ".json", ".py", ".toml"})


def report_key(submission: Submission, assignment: Assignment, how: Grading, requests: str) -> Key:
    """Return the key of the report that grading this submission with these settings gives; see `requests_digest`."""
    evidence = evidence_key(submission, assignment, how, profiles(how)[0], requests)
    ours = Key(evidence, submission.digest, how.profile, assignment="", graders="", judge_limits="", language="")
    return renewed_key(ours, assignment, how)


def renewed_key(key: Key, assignment: Assignment, how: Grading) -> Key:
    """Return a report's key after its evidence was judged again: by the graders of today, in this language."""
    return msgspec.structs.replace(
        key,
        assignment=_digest(repr((assignment.name, assignment.items))),
        graders=grader_digest(assignment),
        judge_limits=_digest(repr(how.judge)),
        language=how.lang,
    )


def grader_digest(assignment: Assignment) -> str:
    """Return the digest of all that grades an assignment: the engine, the lesson, its graders and thresholds, the templates."""
    lesson = find_lesson(assignment.lesson)
    return _sources(ENGINE, _home(assignment.lesson), _home(lesson.graders), *lesson.sources)


def evidence_key(submission: Submission, assignment: Assignment, how: Grading, profile: Profile, requests: str) -> str:
    """Return the key of the evidence that running this submission on one profile gives."""
    lesson = find_lesson(assignment.lesson)
    cells = [(cell.kind, cell.source, cell.grade_id, cell.locked) for cell in submission.cells]
    # Who shares the machine decides how many cores a sandbox has, and changes from run to run.
    limits = asdict(replace(how.limits, cores=DEFAULTS.cores, shared=DEFAULTS.shared))
    parts = (
        (submission.student, submission.digest, cells),
        (_sources(*COLLECTING, *lesson.code.values()), requests),
        (profile, _data(lesson.data(profile))),
        seed_for(submission.digest),
        (how.sandbox, how.gpu, limits, TIME_LIMITS[profile].within(how.time_limit)),
        versions(),
    )
    return _digest(repr(parts))


def unchanged_report(task: GradingTask, key: Key) -> Report | None:
    """Return the report of an earlier run with this key; None where there is none, or nothing was graded."""
    with suppress(OSError, SplotError, msgspec.DecodeError):
        report = read_report(task.folder / "report.json")
        if report.key == key and report.status is Outcome.GRADED and report.student == task.student:
            Evidence(task.folder / "evidence")
            return report
    return None


def is_evidence_with(folder: Path, key: str, until: str | None) -> bool:
    """Whether a folder holds the evidence of a run with this key that reached the cell `until`; None is the notebook's end."""
    with suppress(OSError, SplotError):
        file = Evidence(folder).file
        reached = until is not None and any(run.grade_id == until for run in file.runs)
        return file.key == key and (file.until is None or reached)
    return False


def _home(module: str) -> Path:
    """Return the folder of a module, or of the one in which an object "module:NAME" stands."""
    return Path(importlib.import_module(module.partition(":")[0]).__file__ or "").parent


def profiles(how: Grading) -> tuple[Profile, ...]:
    """Return the profiles a submission may run on, in order: on `auto` more data follow only where they may decide."""
    return (Profile.QUICK, Profile.MEDIUM, Profile.FULL) if how.profile is Profile.AUTO else (how.profile,)


@cache
def _sources(*folders: Path) -> str:
    """Return the digest of all source files in these folders."""
    found = sorted((number, path) for number, folder in enumerate(folders) for path in folder.rglob("*"))
    files = [(number, path) for number, path in found if path.suffix in SOURCES]
    contents = [(number, str(path.relative_to(folders[number])), path.read_bytes()) for number, path in files]
    return _digest(repr(contents))


def requests_digest(probes: Mapping[str, Sequence[Probe]]) -> str:
    """Return the digest of what graders ask for, with a fixed seed in place of a submission's."""
    return _digest(repr(list(_asked(probes))))


def _asked(probes: Mapping[str, Sequence[Probe]]) -> Iterable[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        for cell in sorted(probes):
            write_requests(probes[cell], "a seed", Path(folder, cell))
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()


def _data(folder: Path | None) -> list[tuple[str, int, str]]:
    """Return the names, sizes and sampled contents of a profile's files."""
    files = [] if folder is None else [path for path in folder.rglob("*") if path.is_file()]
    return sorted((str(path.relative_to(folder or "")), path.stat().st_size, _sample(path)) for path in files)


def _sample(path: Path) -> str:
    """Return the digest of blocks spread evenly over a file, from its first byte to its last; up to 256 KiB it is the whole.

    That tells one data set from another, at the same small cost for each submission; all bytes would take longer.
    """
    with path.open("rb", buffering=0) as file:
        last = max(0, os.fstat(file.fileno()).st_size - BLOCK)
        blocks = (os.pread(file.fileno(), BLOCK, last * number // (BLOCKS - 1)) for number in range(BLOCKS))
        return hashlib.sha256(b"".join(blocks)).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
