"""What this lesson records of a notebook in the sandbox: calls of functions, layers, models, the data, activation maps."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec

from autograder.engine.evidence import MAX_ARRAY, Failure, KeptFile, Name, Record, Text, Whole
from autograder.models import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES

WEIGHTS = "weights.npz"
Epochs = Annotated[tuple[float | None, ...], msgspec.Meta(max_length=10_000)]


class Flavour(StrEnum):
    """The kind of arrays a function was called with."""

    NUMPY = "numpy"
    TORCH = "torch"


class CallRecord(Record, frozen=True, tag_field="kind", tag="call"):
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

    def files(self, cell: str) -> Iterator[KeptFile]:
        """Yield the array that came back."""
        if self.array:
            yield KeptFile((f"{self.name}-{self.flavour}.npy",), call_array(cell, self), MAX_ARRAY)


class LayerRecord(Record, frozen=True, tag_field="kind", tag="layer"):
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
    """The gradient steps that were seen for a model: a claim. `models/capture/gradients.py` says what each field is."""

    steps: Count
    copied: bool
    reached: Annotated[float, msgspec.Meta(ge=0, le=1)]
    unclaimed: Count
    inherited: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class ModelRecord(Record, frozen=True, tag_field="kind", tag="model"):
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

    def files(self, _cell: str) -> Iterator[KeptFile]:
        """Yield its graphs, its weights and its outputs, where it was exported."""
        if not self.method:
            return
        there = {"graph.json": True, "train.json": self.train_graph, "outputs.npy": self.outputs}
        for name in (name for name, taken in there.items() if taken):
            limit = MAX_GRAPH_BYTES if name.endswith(".json") else MAX_ARRAY
            yield KeptFile((self.name, name), f"models/{self.name}/{name}", limit)
        yield KeptFile((self.name, WEIGHTS), f"models/{self.name}/{WEIGHTS}", MAX_WEIGHT_BYTES)


Parameter = bool | Whole | float | Text | Annotated[tuple[float, ...], msgspec.Meta(max_length=8)] | None


class TransformStep(msgspec.Struct, frozen=True):
    """One declared step of the image transform: its class name and its plain parameters."""

    type: Text
    parameters: dict[Name, Parameter] = {}


class DataRecord(Record, frozen=True, tag_field="kind", tag="data"):
    """What `testset` is and does to images."""

    type: Text = ""
    length: Whole = 0
    pairs: bool = False
    repeatable: bool = True
    steps: Annotated[tuple[TransformStep, ...], msgspec.Meta(max_length=32)] = ()
    failure: Failure | None = None

    def files(self, _cell: str) -> Iterator[KeptFile]:
        """Yield what the transform made of random images, and of the first visible ones."""
        for name in ("random.npy", "visible.npy") if self.pairs else ():
            yield KeptFile((name,), f"transform/{name}", MAX_ARRAY)


class MapRecord(Record, frozen=True, tag_field="kind", tag="map"):
    """What `cam` returned for visible image number `image` and the class that `models[model]` predicted for it."""

    name: Name
    model: Name
    image: Annotated[int, msgspec.Meta(ge=0, lt=100)]
    class_index: Whole
    array: bool = False
    returned: Text = ""
    failure: Failure | None = None

    def files(self, _cell: str) -> Iterator[KeptFile]:
        """Yield the map."""
        if self.array:
            yield KeptFile((map_array(self),), f"arrays/{map_array(self)}", MAX_ARRAY)


AnyRecord = CallRecord | LayerRecord | ModelRecord | DataRecord | MapRecord


def call_array(cell: str, record: CallRecord) -> str:
    """Where the array of one call stands in an evidence folder."""
    return f"arrays/{cell}-{record.name}-{record.flavour}.npy"


def map_array(record: MapRecord) -> str:
    """The file name of one class activation map."""
    return f"map-{record.model}-{record.image}.npy"
