"""The lesson's probes, its records, and read access to them (`LessonEvidence`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from autograder.engine.evidence import (
    MAX_ARRAY,
    Evidence,
    Failure,
    Name,
    Probe,
    Record,
    RecordFile,
    Text,
    Whole,
    generator,
)
from autograder.models import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES

WEIGHTS = "weights.npz"
IMAGE_SHAPES = {"grey": (16, 28, 28), "colour": (16, 32, 32, 3)}

Array = NDArray[np.generic]
Arguments = tuple[Array | int, ...]
Epochs = Annotated[tuple[float | None, ...], msgspec.Meta(max_length=10_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Parameter = bool | Whole | float | Text | Annotated[tuple[float, ...], msgspec.Meta(max_length=8)] | None


@dataclass(frozen=True)
class CallProbe(Probe):
    """Call `function` of the notebook with drawn arguments, as NumPy arrays and as torch tensors.

    Every call is watched for library convolutions; all probes of one function agree in `steps`, so that no call
    differs from another.
    """

    kind = "call"
    function: str
    draw: Callable[[np.random.Generator], Arguments]
    steps: bool = False  # count how many steps the call takes

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for a call with these arguments."""
        arguments: list[dict[str, object]] = []
        for i, value in enumerate(self.draw(generator(seed, f"{self.cell}/{self.name}"))):
            if isinstance(value, int):
                arguments.append({"value": value})
            else:
                np.save(folder / f"{self.name}-{i}.npy", np.asarray(value), allow_pickle=False)
                arguments.append({"array": f"{self.name}-{i}.npy"})
        return super().request(seed, folder) | {"function": self.function, "steps": self.steps, "arguments": arguments}


@dataclass(frozen=True)
class LayerProbe(Probe):
    """Read the declared parameters of a layer the notebook named."""

    kind = "layer"


@dataclass(frozen=True)
class ModelProbe(Probe):
    """Export `models[name]` as a graph with weights, its history and its results."""

    kind = "model"


@dataclass(frozen=True)
class DataProbe(Probe):
    """Describe `testset` and record what its transform does to random images."""

    kind = "data"

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for what the transform makes of these images."""
        for name in IMAGE_SHAPES:
            np.save(folder / f"{name}.npy", random_images(seed, name), allow_pickle=False)
        return super().request(seed, folder)


@dataclass(frozen=True)
class MapProbe(Probe):
    """Call `cam(model, image, class_index)` on visible images, for the class each of these models itself predicts."""

    kind = "map"
    models: tuple[str, ...]

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for the maps of these models."""
        return super().request(seed, folder) | {"models": list(self.models)}


def random_images(seed: str, kind: str) -> NDArray[np.uint8]:
    """Draw the images that go through the student's transform, "grey" (16, 28, 28) or "colour" (16, 32, 32, 3)."""
    return generator(seed, f"images/{kind}").integers(0, 256, IMAGE_SHAPES[kind], dtype=np.uint8)


class Flavour(StrEnum):
    """The type of arrays that a function was called with."""

    NUMPY = "numpy"
    TORCH = "torch"


class CallRecord(Record, frozen=True, tag_field="kind", tag="call"):
    """One call of a function. `array` tells whether an array came back.

    Claims are the library functions it `reached`, where it ran `unseen`, and how many `steps` it took.
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

    def files(self, cell: str) -> Iterator[RecordFile]:
        """Yield the array that came back."""
        if self.array:
            yield RecordFile((f"{self.name}-{self.flavour}.npy",), call_array(cell, self), MAX_ARRAY)


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
    """A learning history, one value per epoch; None stands for a value that is not finite or not a number."""

    train_loss: Epochs | None = None
    val_loss: Epochs | None = None
    val_accuracy: Epochs | None = None


class Results(msgspec.Struct, frozen=True):
    """What the notebook says it measured on its test images, as fractions, and its parameter count."""

    accuracy: float | None = None
    f1: float | None = None
    parameters: float | None = None


class Gradients(msgspec.Struct, frozen=True):
    """The gradient steps that were seen for a model: a claim. `models/capture/gradients.py` says what each field is."""

    steps: Count
    copied: bool
    reached: Share
    unclaimed: Count
    inherited: Share = 0.0


class ModelRecord(Record, frozen=True, tag_field="kind", tag="model"):
    """The record of one of `models`: how it was exported, and the notebook's own figures for it.

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

    def files(self, _cell: str) -> Iterator[RecordFile]:
        """Yield its graphs, its weights and its outputs, where it was exported."""
        if not self.method:
            return
        there = {"graph.json": True, "train.json": self.train_graph, "outputs.npy": self.outputs}
        for name in (name for name, taken in there.items() if taken):
            limit = MAX_GRAPH_BYTES if name.endswith(".json") else MAX_ARRAY
            yield RecordFile((self.name, name), f"models/{self.name}/{name}", limit)
        yield RecordFile((self.name, WEIGHTS), f"models/{self.name}/{WEIGHTS}", MAX_WEIGHT_BYTES)


class TransformStep(msgspec.Struct, frozen=True):
    """One declared step of the image transform: its class name and its plain parameters."""

    type: Text
    parameters: dict[Name, Parameter] = {}


class DataRecord(Record, frozen=True, tag_field="kind", tag="data"):
    """The record of `testset`: its type, length and image transform."""

    type: Text = ""
    length: Whole = 0
    pairs: bool = False
    repeatable: bool = True
    steps: Annotated[tuple[TransformStep, ...], msgspec.Meta(max_length=32)] = ()
    failure: Failure | None = None

    def files(self, _cell: str) -> Iterator[RecordFile]:
        """Yield what the transform made of random images, and of the first visible ones."""
        for name in ("random.npy", "visible.npy") if self.pairs else ():
            yield RecordFile((name,), f"transform/{name}", MAX_ARRAY)


class MapRecord(Record, frozen=True, tag_field="kind", tag="map"):
    """What `cam` returned for visible image number `image` and the class that `models[model]` predicted for it."""

    name: Name
    model: Name
    image: Annotated[int, msgspec.Meta(ge=0, lt=100)]
    class_index: Whole
    array: bool = False
    returned: Text = ""
    failure: Failure | None = None

    def files(self, _cell: str) -> Iterator[RecordFile]:
        """Yield the map."""
        if self.array:
            yield RecordFile((map_array(self),), f"arrays/{map_array(self)}", MAX_ARRAY)


AnyRecord = CallRecord | LayerRecord | ModelRecord | DataRecord | MapRecord
Sought = TypeVar("Sought", bound=Record)


def call_array(cell: str, record: CallRecord) -> str:
    """Where the array of one call stands in an evidence folder."""
    return f"arrays/{cell}-{record.name}-{record.flavour}.npy"


def map_array(record: MapRecord) -> str:
    """The file name of one class activation map."""
    return f"map-{record.model}-{record.image}.npy"


class LessonEvidence(Evidence):
    """Read access to an evidence folder and the lesson's records in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.taken: dict[str, tuple[AnyRecord, ...]] = self.records(AnyRecord)

    def of_type(self, kind: type[Sought], cell: str | None = None) -> Iterator[Sought]:
        """Yield the records of one type that were taken at a cell; without `cell`, at any."""
        cells = self.taken.values() if cell is None else [self.taken.get(cell, ())]
        return (record for records in cells for record in records if isinstance(record, kind))

    def call(self, cell: str, name: str, flavour: Flavour) -> CallRecord | None:
        """Return one call's record."""
        return next((r for r in self.of_type(CallRecord, cell) if (r.name, r.flavour) == (name, flavour)), None)

    def layer(self, cell: str, name: str) -> LayerRecord | None:
        """Return one layer's record."""
        return next((r for r in self.of_type(LayerRecord, cell) if r.name == name), None)

    def model(self, name: str) -> ModelRecord | None:
        """Return the record of `models[name]`, from whichever cell took it."""
        return next((r for r in self.of_type(ModelRecord) if r.name == name), None)

    def maps(self, cell: str) -> list[MapRecord]:
        """Return what `cam` gave, in order of model and image."""
        return list(self.of_type(MapRecord, cell))

    def data(self) -> DataRecord | None:
        """Return what is known of `testset`."""
        return next(self.of_type(DataRecord), None)
