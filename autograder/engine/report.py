"""The report of one submission: what `report.json` holds, field by field (`splot/report/v1`)."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

SCHEMA: Final = "splot/report/v1"
FEEDBACK_FILE = "feedback.html"
"""The page of a report, beside it."""


class Status(StrEnum):
    """How a graded cell ended."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    ERROR = "error"
    MISSING = "missing"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    MANUAL = "manual"
    UNDECIDED = "undecided"


class Kind(StrEnum):
    """Who decides a graded cell, and whether it counts into the 20 points."""

    AUTO = "auto"
    MANUAL = "manual"
    BONUS = "bonus"


class Outcome(StrEnum):
    """Whether a submission was graded; `ungraded` means that the grader could not do its work."""

    GRADED = "graded"
    UNGRADED = "ungraded"


class Profile(StrEnum):
    """How much data a submission is run on; `auto` takes more while that may decide a check."""

    AUTO = "auto"
    QUICK = "quick"
    MEDIUM = "medium"
    FULL = "full"


class SandboxKind(StrEnum):
    """How student code is confined."""

    BWRAP = "bwrap"
    NONE = "none"


class Check(msgspec.Struct, frozen=True):
    """One check of a cell. `passed` is None where it could not be measured fairly; more data may help if `more_data`."""

    name: str
    weight: float
    passed: bool | None
    message: str
    more_data: bool = False


class CellReport(msgspec.Struct, frozen=True):
    """One graded cell. `score` is None until somebody decides: written answers, undecided checks.

    `profile` is that of the run which settled the cell; None for a written answer.
    """

    id: str
    title: str
    kind: Kind
    points: float
    score: float | None
    status: Status
    checks: tuple[Check, ...] = ()
    profile: Profile | None = None


class ModelReport(msgspec.Struct, frozen=True):
    """What the judge measured of one model. `accuracy` is a fraction on held-out images."""

    accuracy: float | None
    threshold: float | None
    parameters: int | None
    layers: tuple[str, ...]
    verified: bool


class Flag(msgspec.Struct, frozen=True):
    """A sign that a person should look at; it changes no score or status and is not shown to students.

    `cells` are grade ids, or numbers of cells without one; `figures` are what was measured, by what it was measured of.
    """

    code: str
    cells: tuple[str, ...]
    figures: dict[str, float]


NOT_EXAMINED = Flag("not_examined", (), {})
"""Placeholder in a report until the flags are computed, and in place of a flag that failed."""


class Timing(msgspec.Struct, frozen=True):
    """Wall time in seconds: the sandbox's start, the notebook, the probe, the judge."""

    start_s: float = 0.0
    notebook_s: float = 0.0
    probe_s: float = 0.0
    judge_s: float = 0.0

    @property
    def ours_s(self) -> float:
        """The grader's own time, without the notebook's."""
        return self.start_s + self.probe_s + self.judge_s


class Key(msgspec.Struct, frozen=True):
    """What a report was made of, as digests: with an equal key, grading again would only repeat it.

    `evidence` covers the notebook as it was repaired, the code that runs and asks it, the data, the course's secret, limits
    and versions; `graders` covers thresholds as well.
    """

    evidence: str
    notebook: str
    profile: Profile
    assignment: str
    graders: str
    judge_limits: str
    language: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one submission."""

    schema: Literal["splot/report/v1"] = SCHEMA
    submission: str
    student: str
    assignment: str
    profile: Profile
    dataset: str | None
    sandbox: str
    memory_guard: str = "watchdog"
    status: Outcome
    reason: str | None = None
    notes: tuple[str, ...] = ()
    score: float | None = None
    max_score: float | None = None
    bonus: float | None = None
    max_bonus: float | None = None
    needs_manual: tuple[str, ...] = ()
    cells: tuple[CellReport, ...] = ()
    models: dict[str, ModelReport] = {}
    flags: tuple[Flag, ...] = ()
    timing: Timing = Timing()
    versions: dict[str, str] = {}
    key: Key | None = None

    @property
    def certain_percent(self) -> float | None:
        """The score in percent of all that the grader is to decide, undecided cells too: what is certain so far."""
        still_open = sum(cell.points for cell in self.undecided if cell.kind is Kind.AUTO)
        total = (self.max_score or 0.0) + still_open
        return None if self.score is None or not total else 100 * self.score / total

    @property
    def may_gain(self) -> bool:
        """Whether a run on more data may settle a check."""
        return any(check.more_data for cell in self.cells for check in cell.checks)

    @property
    def met_time_limit(self) -> bool:
        """Whether a cell has no points because of a time limit, which a busy machine may be the cause of."""
        return any(cell.status is Status.TIMEOUT for cell in self.cells)

    @property
    def undecided(self) -> tuple[CellReport, ...]:
        """The cells that could not be measured fairly on this profile."""
        return tuple(cell for cell in self.cells if cell.status is Status.UNDECIDED)


def totals(cells: tuple[CellReport, ...], kind: Kind) -> tuple[float, float]:
    """Sum score and points over the decided cells of `kind`."""
    decided = [cell for cell in cells if cell.kind is kind and cell.score is not None]
    return (
        round(sum(cell.score or 0.0 for cell in decided), 4),
        round(sum(cell.points for cell in decided), 4),
    )


def encode(value: msgspec.Struct | list[Report]) -> bytes:
    """Return a report, what holds one, or those of a class, as indented JSON."""
    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a file name that is not UTF-8, or half a surrogate pair in a student's own text
        raw = msgspec.json.encode(_valid(msgspec.to_builtins(value)))
    return msgspec.json.format(raw, indent=2) + b"\n"


def encode_all(reports: list[Report], total: int) -> bytes:
    """Return JSON for `--json`: one report if `total` is 1, else the list of the reports so far."""
    return encode(reports[0] if reports and total == 1 else reports)


def _valid(value: Any) -> Any:
    """Replace what UTF-8 cannot hold by question marks, however deep it stands."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_valid(key): _valid(inner) for key, inner in value.items()}
    return [_valid(inner) for inner in value] if isinstance(value, list | tuple) else value


def read_report(path: Path) -> Report:
    """Read a `report.json`; raises `msgspec.ValidationError` where it does not fit the schema."""
    return msgspec.json.decode(path.read_bytes(), type=Report)
