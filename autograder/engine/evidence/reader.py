"""Read an evidence folder: what came out of the sandbox, and the findings that the judge left beside it.

`evidence.json` is written by the grader about what it received; arrays are `.npy` files read without pickle. The types
of `records.py` are the whole schema: anything else is rejected with `EvidenceError`.

Findings are what the judge writes for the HTML pages: no expected value, no held-out data. A page is
drawn of them without measuring anything again. They are trusted as little as evidence: the judge handles untrusted data.
"""

import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from autograder.engine.errors import EvidenceError, SplotError
from autograder.engine.evidence.records import SCHEMA, CellRun, EvidenceFile, Fault, Probed
from autograder.engine.files import json_values, parse_array, read_beneath
from autograder.engine.notebook import joined_text
from autograder.engine.text import printable, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_JSON = 64_000_000
MAX_ARRAY = 64_000_000
MAX_VALUES = 8_000_000
MAX_FINDINGS = 16_000_000
MAX_FAULTS = 16
FINDINGS_FILE = "findings.json"
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on bytes that are not the JSON they should be."""
NOT_EVIDENCE = ("nie zawiera danych do oceny", "is not evidence")


class Role(msgspec.Struct, frozen=True):
    """The grader's metadata of an executed cell."""

    grade_id: str | None = None
    locked: bool = False


class ExecutedCell(msgspec.Struct, frozen=True):
    """An executed cell. The grader wrote the file, but the outputs come from the kernel and may be of any type."""

    cell_type: str
    source: str | list[str]
    metadata: Role = Role()
    outputs: list[dict[str, Any]] = []

    @property
    def is_students(self) -> bool:
        """Whether this is the student's code, not a locked cell."""
        return self.cell_type == "code" and not self.metadata.locked

    @property
    def text(self) -> str:
        """The source as one string."""
        return joined_text(self.source)


class Executed(msgspec.Struct, frozen=True):
    """The executed notebook: the source of each cell, and what it printed."""

    cells: tuple[ExecutedCell, ...]

    def source(self, grade_id: str) -> str:
        """The source of the cell that holds this id, or nothing."""
        return "".join(cell.text for cell in self.cells if cell.metadata.grade_id == grade_id)

    def locked(self, index: int) -> bool:
        """Whether the cell of this number, from 0, is the instructor's own."""
        return 0 <= index < len(self.cells) and self.cells[index].metadata.locked

    def code_before(self, grade_id: str) -> list[tuple[int, ExecutedCell]]:
        """Return the code cells that stand before the cell of this id, with their numbers in the notebook, from 0."""
        found = []
        for index, cell in enumerate(self.cells):
            if cell.metadata.grade_id == grade_id:
                break
            if cell.cell_type == "code":
                found.append((index, cell))
        return found

    @property
    def printed(self) -> str:
        """All text that the student's cells printed or showed."""
        shown: list[object] = []
        for output in (output for cell in self.cells if not cell.metadata.locked for output in cell.outputs):
            data = output.get("data")
            forms = data if isinstance(data, dict) else {}
            shown += [output.get("text"), forms.get("text/plain"), forms.get("text/html")]
        return "\n".join(map(joined_text, shown))


class Evidence:
    """Read access to an evidence folder; `file` is what stands in its `evidence.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        raw = read_beneath(folder, "evidence.json", limit=MAX_JSON)
        try:
            self.file = msgspec.json.decode(_bounded(raw), type=EvidenceFile)
        except (ValueError, *UNREADABLE) as error:
            raise _unreadable(folder / "evidence.json", *NOT_EVIDENCE, error) from error
        if self.file.schema != SCHEMA:
            found = printable(self.file.schema, 60)
            raise EvidenceError(
                say(
                    pl=f"Format danych w {folder} to {found}, a ta wersja programu czyta {SCHEMA}.",
                    en=f"{folder} holds {found}; this version reads {SCHEMA}.",
                )
            )

    def records(self, schema: Any) -> dict[str, tuple[Any, ...]]:
        """Return the records by test cell; raises `EvidenceError` if one is of no type in `schema`."""
        try:
            return {
                probed.cell: tuple(msgspec.json.decode(record, type=schema) for record in probed.records)
                for probed in self.file.probed
            }
        except UNREADABLE as error:
            raise _unreadable(self.folder / "evidence.json", *NOT_EVIDENCE, error) from error

    @cached_property
    def probed(self) -> dict[str, Probed]:
        """The probes' answers by test cell."""
        return {probed.cell: probed for probed in self.file.probed}

    def run(self, grade_id: str) -> CellRun | None:
        """Return how the cell with this id ended; None if there is no such cell."""
        return next((run for run in self.file.runs if run.grade_id == grade_id), None)

    def ran_before(self, grade_id: str) -> list[tuple[int, ExecutedCell]]:
        """Return the code cells whose definitions exist at the cell of this id, with their indices."""
        left = {run.index for run in self.file.runs if _left_nothing(run)}
        return [(index, cell) for index, cell in self.notebook.code_before(grade_id) if index not in left]

    def array(self, *path: str) -> "NDArray[Any]":
        """Read one array below the folder."""
        return parse_array(read_beneath(self.folder, *path, limit=MAX_ARRAY), "/".join(path))

    @cached_property
    def notebook(self) -> Executed:
        """The executed notebook."""
        raw = read_beneath(self.folder, "notebook.ipynb", limit=MAX_JSON)
        try:
            return msgspec.convert(json.loads(_bounded(raw)), Executed)
        except (ValueError, *UNREADABLE) as error:
            path = self.folder / "notebook.ipynb"
            raise _unreadable(path, "nie jest wykonanym notebookiem", "is not the executed notebook", error) from error


def is_evidence_of(folder: Path, digest: str) -> bool:
    """Whether a folder holds whole evidence of the submission with this digest."""
    with suppress(OSError, SplotError):
        return Evidence(folder).file.digest == digest
    return False


def _unreadable(path: Path, pl: str, en: str, error: Exception) -> EvidenceError:
    return EvidenceError(say(pl=f"{path} {pl}: {error}.", en=f"{path} {en}: {error}."))


def _left_nothing(run: CellRun) -> bool:
    """Whether a cell defined nothing that lasts: it never ran, or it killed its kernel."""
    if run.failure is None or run.failure.fault in {Fault.ERROR, Fault.MISSING}:
        return False
    if run.failure.fault is Fault.TIMEOUT:
        return run.seconds == 0
    return run.failure.fault is Fault.DIED or not run.failure.type  # of memory: an exception has a type


def _bounded(raw: bytes) -> bytes:
    """Return the JSON unchanged; raises `ValueError` if parsing it might fill the memory."""
    if json_values(raw) > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES} values")
    return raw


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What every lesson's findings have: `faults` names what could not be drawn, for the instructor."""

    faults: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_FAULTS)] = ()


AnyFindings = TypeVar("AnyFindings", bound=Findings)


def read_findings(evidence: Path, kind: type[AnyFindings]) -> AnyFindings:
    """Read an evidence folder's findings; raises `EvidenceError` where there are none, or not of this form."""
    raw = read_beneath(evidence, FINDINGS_FILE, limit=MAX_FINDINGS)
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        path = evidence / FINDINGS_FILE
        raise _unreadable(path, "nie zawiera wyników pomiaru", "does not hold findings", error) from error


def findings_or_none(evidence: Path, kind: type[AnyFindings]) -> AnyFindings:
    """Read an evidence folder's findings; return empty ones if there are none or they cannot be read."""
    try:
        return read_findings(evidence, kind)
    except EvidenceError:
        return kind()
