"""The words of evidence: what the probe may say of a notebook, and the grader of its run; what does not fit is refused."""

from enum import StrEnum
from typing import Annotated

import msgspec

from autograder.report import Profile, Timing

SCHEMA = "splot/evidence/v1"

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_]{1,64}\Z")]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Epochs = Annotated[tuple[float | None, ...], msgspec.Meta(max_length=10_000)]


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
    """One call of a function. `array` tells whether an array came back.

    A claim is what it `reached` of libraries, where it went on `unseen`, and how many `steps` it took.
    """

    name: Name
    flavour: Flavour
    array: bool = False
    returned: Text = ""
    inputs_kept: bool = True
    reached: tuple[Text, ...] = ()
    unseen: tuple[Text, ...] = ()
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


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Gradients(msgspec.Struct, frozen=True):
    """The gradient steps that were seen for a model: a claim. `autograder/probe/gradients.py` says what each field is."""

    steps: Count
    copied: bool
    reached: Annotated[float, msgspec.Meta(ge=0, le=1)]
    unclaimed: Count
    inherited: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class ModelRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="model"):
    """One of `models`: how it was exported, and the notebook's own figures for it.

    `failure` says why there is no model. One that is there may give no scores: `returned` says what came instead of
    (B, n), `unscored` why nothing did; what needs no scores stands all the same.
    """

    name: Name
    type: Text = ""
    method: Text = ""
    export_error: Text = ""
    parameters: Whole | None = None
    train_graph: bool = False
    outputs: bool = False
    returned: Text = ""
    unscored: Failure | None = None
    history: History | None = None
    results: Results | None = None
    gradients: Gradients | None = None
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
    memory_guard: str = "watchdog"
    notes: tuple[str, ...] = ()
    runs: tuple[CellRun, ...] = ()
    probed: tuple[Probed, ...] = ()
    timing: Timing = Timing()
    versions: dict[str, str] = {}
