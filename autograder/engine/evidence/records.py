"""The schema of `evidence.json`: how a notebook ran and what was recorded; anything else is rejected."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

import msgspec

from autograder.engine.report import Profile, Timing

SCHEMA = "splot/evidence/v1"

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_]{1,64}\Z")]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=2_000)]


class Fault(StrEnum):
    """Why a requested result is missing."""

    ERROR = "error"
    MISSING = "missing"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DIED = "died"


class Failure(msgspec.Struct, frozen=True):
    """What went wrong in the student's code: the exception's class, its message, the line in the cell."""

    fault: Fault
    type: Text = ""
    message: Text = ""
    line: Whole | None = None


class RecordFile(NamedTuple):
    """A file that belongs to a record: its path in the outbox, its name in the evidence, its size limit in bytes."""

    source: tuple[str, ...]
    target: str
    limit: int


class Record(msgspec.Struct, frozen=True):
    """One recorder's result at a test cell; a lesson's records are subclasses, distinguished by a tag."""

    def files(self, _cell: str) -> Iterator[RecordFile]:
        """Yield the files that belong to it."""
        yield from ()


class CellRun(msgspec.Struct, frozen=True):
    """How one cell of the notebook ended."""

    index: int
    grade_id: str | None
    seconds: float
    failure: Failure | None = None
    images: int = 0


class Probed(msgspec.Struct, frozen=True):
    """The probe's answer at one test cell; `failure` says why the probe itself gave none.

    Records are the lesson's: checked against its types when they come in, and read by them again (`Evidence.records`).
    """

    cell: str
    records: tuple[msgspec.Raw, ...] = ()
    failure: Failure | None = None

    @classmethod
    def from_records(cls, cell: str, *records: Record) -> Self:
        """Make an answer from records."""
        return cls(cell, tuple(msgspec.Raw(msgspec.json.encode(record)) for record in records))


class EvidenceFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `evidence.json`."""

    schema: str = SCHEMA
    submission: str
    student: str
    assignment: str
    digest: str
    seed: str
    profile: Profile
    dataset: str | None
    sandbox: str
    gpu: bool = False
    """Whether the notebook could use a GPU."""
    memory_guard: str = "watchdog"
    notes: tuple[str, ...] = ()
    runs: tuple[CellRun, ...] = ()
    probed: tuple[Probed, ...] = ()
    timing: Timing = Timing()
    versions: dict[str, str] = {}
    key: str = ""
    """What it was made of (`engine/grading/keys.py`)."""
    until: str | None = None
    """The test cell at which the run ended early."""
