"""Evidence: what came out of the sandbox, as data. Its reader trusts nothing of it.

`evidence.json` is written by the grader about what it received; arrays are `.npy` files read without pickle. The
types here are the whole vocabulary: whatever does not fit them is refused by `EvidenceError`.
"""

import json
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import msgspec
from numpy.typing import NDArray

from autograder.errors import EvidenceError
from autograder.executed import Executed
from autograder.plainfile import open_beneath as open_beneath  # noqa: PLC0414 - for those who read evidence
from autograder.plainfile import parse_array as parse_array  # noqa: PLC0414 - for those who read evidence
from autograder.plainfile import read_beneath as read_beneath  # noqa: PLC0414 - for those who read evidence
from autograder.report import Profile, Timing

SCHEMA = "splot/evidence/v1"
MAX_JSON = 64_000_000
MAX_ARRAY = 64_000_000

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_]{1,64}\Z")]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Epochs = Annotated[tuple[float | None, ...], msgspec.Meta(max_length=10_000)]


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on bytes that are not the JSON they should be."""


class Fault(StrEnum):
    """Why something that was asked for is not there."""

    ERROR = "error"
    MISSING = "missing"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DIED = "died"


class Flavour(StrEnum):
    """The kind of arrays a function was called with."""

    NUMPY = "numpy"
    TORCH = "torch"


class Failure(msgspec.Struct, frozen=True):
    """What went wrong in the student's code: the exception's class, its message, the line in the cell."""

    fault: Fault
    type: Text = ""
    message: Text = ""
    line: Whole | None = None


class CallRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="call"):
    """One call of a function. `array` tells whether an array came back; what and how much it reached is a claim."""

    name: Name
    flavour: Flavour
    array: bool = False
    returned: Text = ""
    inputs_kept: bool = True
    reached: tuple[Text, ...] = ()
    steps: Whole | None = None
    failure: Failure | None = None


class LayerRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="layer"):
    """The declared parameters of a layer; `padding_name` is "same" or "valid" where padding was given by name."""

    name: Name
    type: Text = ""
    is_conv2d: bool = False
    in_channels: Whole = 0
    out_channels: Whole = 0
    kernel_size: tuple[Whole, Whole] = (0, 0)
    stride: tuple[Whole, Whole] = (0, 0)
    padding: tuple[Whole, Whole] = (0, 0)
    padding_name: Text = ""  # not in one union with the pair: msgspec 0.22 crashes on it
    dilation: tuple[Whole, Whole] = (0, 0)
    groups: Whole = 1
    failure: Failure | None = None


class History(msgspec.Struct, frozen=True):
    """A learning history, a value an epoch; None stands for a value that is not finite or not a number."""

    train_loss: Epochs | None = None
    val_loss: Epochs | None = None
    val_accuracy: Epochs | None = None


class Results(msgspec.Struct, frozen=True):
    """What the notebook says it measured on its test images, as fractions, and its parameter count."""

    accuracy: float | None = None
    f1: float | None = None
    parameters: float | None = None


class ModelRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="model"):
    """One of `models`: how it was exported, and the notebook's own figures for it."""

    name: Name
    type: Text = ""
    method: Text = ""
    export_error: Text = ""
    parameters: Whole | None = None
    train_graph: bool = False
    outputs: bool = False
    output_shape: Annotated[tuple[Whole, ...], msgspec.Meta(max_length=8)] = ()
    finite: bool = True
    history: History | None = None
    results: Results | None = None
    failure: Failure | None = None


Parameter = bool | Whole | float | Text | Annotated[tuple[float, ...], msgspec.Meta(max_length=8)] | None


class TransformStep(msgspec.Struct, frozen=True):
    """One declared step of the image transform: its class name and its plain parameters."""

    type: Text
    parameters: dict[Name, Parameter] = {}


class DataRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="data"):
    """What `testset` is and does to images."""

    type: Text = ""
    length: Whole = 0
    pairs: bool = False
    repeatable: bool = True
    steps: Annotated[tuple[TransformStep, ...], msgspec.Meta(max_length=32)] = ()
    failure: Failure | None = None


class MapRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="map"):
    """What `cam` returned for visible image number `image` and the class that `models[model]` predicted for it."""

    name: Name
    model: Name
    image: Annotated[int, msgspec.Meta(ge=0, lt=100)]
    class_index: Whole
    array: bool = False
    returned: Text = ""
    failure: Failure | None = None


Record = CallRecord | LayerRecord | ModelRecord | DataRecord | MapRecord


class CellRun(msgspec.Struct, frozen=True):
    """How one cell of the notebook ended."""

    index: int
    grade_id: str | None
    seconds: float
    failure: Failure | None = None
    images: int = 0


class Probed(msgspec.Struct, frozen=True):
    """What the probe took at one test cell; `failure` where the probe itself could not answer."""

    cell: str
    records: tuple[Record, ...] = ()
    failure: Failure | None = None


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
    notes: tuple[str, ...] = ()
    runs: tuple[CellRun, ...] = ()
    probed: tuple[Probed, ...] = ()
    timing: Timing = Timing()
    versions: dict[str, str] = {}


class Evidence:
    """Read access to an evidence folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        raw = read_beneath(folder, "evidence.json", limit=MAX_JSON)
        try:
            self.file = msgspec.json.decode(raw, type=EvidenceFile)
        except UNREADABLE as error:
            raise EvidenceError(f"{folder / 'evidence.json'} is not evidence: {error}.") from error
        if self.file.schema != SCHEMA:
            raise EvidenceError(f"{folder} holds {self.file.schema}; this version reads {SCHEMA}.")

    @cached_property
    def probed(self) -> dict[str, Probed]:
        """What was taken, by test cell."""
        return {probed.cell: probed for probed in self.file.probed}

    def run(self, grade_id: str) -> CellRun | None:
        """How the cell with this id ended, if it was there."""
        return next((run for run in self.file.runs if run.grade_id == grade_id), None)

    def call(self, cell: str, name: str, flavour: Flavour) -> CallRecord | None:
        """One call's record."""
        return next(
            (
                record
                for record in self._records(cell)
                if isinstance(record, CallRecord) and (record.name, record.flavour) == (name, flavour)
            ),
            None,
        )

    def layer(self, cell: str, name: str) -> LayerRecord | None:
        """One layer's record."""
        return next((r for r in self._records(cell) if isinstance(r, LayerRecord) and r.name == name), None)

    def model(self, name: str) -> ModelRecord | None:
        """The record of `models[name]`, from whichever cell took it."""
        return next((r for r in self._all() if isinstance(r, ModelRecord) and r.name == name), None)

    def maps(self, cell: str) -> list[MapRecord]:
        """Return what `cam` gave, in order of model and image."""
        return [record for record in self._records(cell) if isinstance(record, MapRecord)]

    def data(self) -> DataRecord | None:
        """What is known of `testset`."""
        return next((r for r in self._all() if isinstance(r, DataRecord)), None)

    def array(self, *path: str) -> NDArray[Any]:
        """Read one array below the folder."""
        return parse_array(read_beneath(self.folder, *path, limit=MAX_ARRAY), "/".join(path))

    def model_folder(self, name: str) -> Path:
        """Where the graph and weights of `models[name]` are."""
        return self.folder / "models" / name

    @cached_property
    def notebook(self) -> Executed:
        """The executed notebook."""
        raw = read_beneath(self.folder, "notebook.ipynb", limit=MAX_JSON)
        try:
            return Executed(json.loads(raw))
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise EvidenceError(f"{self.folder / 'notebook.ipynb'} is not the executed notebook: {error!r}.") from error

    def _records(self, cell: str) -> tuple[Record, ...]:
        return self.probed[cell].records if cell in self.probed else ()

    def _all(self) -> list[Record]:
        return [record for probed in self.file.probed for record in probed.records]
