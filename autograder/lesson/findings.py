"""The schema of this lesson's findings, shown on pages: Task 1's comparisons, networks, mistakes, activation maps."""

from typing import Annotated, Final, Literal

import msgspec

from autograder.engine.evidence import MAX_FAULTS, Findings, Name
from autograder.lesson.observations import History, Results

SCHEMA: Final = "splot/findings/v1"

Sizes = Annotated[tuple[int, ...], msgspec.Meta(max_length=8)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Class = Annotated[int, msgspec.Meta(ge=0, lt=10)]
Line = Annotated[str, msgspec.Meta(max_length=200)]
PNG = Annotated[bytes, msgspec.Meta(max_length=200_000)]
Grid = Annotated[
    tuple[Annotated[tuple[Byte, ...], msgspec.Meta(max_length=64)], ...],
    msgspec.Meta(max_length=64),
]


class Comparison(msgspec.Struct, frozen=True):
    """One call of a Task 1 function: the returned first map in grey levels, the right shape, and where it is wrong.

    `errors` holds levels, 0 (right) to 4 (as large as the result itself, or more), the worst of all filters; it is
    empty where the shapes differ.
    """

    cell: Name
    function: Name
    image: Sizes
    kernel: Sizes
    expected: Sizes
    returned: Sizes
    output: Grid
    errors: Grid


class Layer(msgspec.Struct, frozen=True):
    """A row of torchinfo's table: a layer on the way from input to output."""

    name: Line
    output: Sizes
    kernel: Sizes
    parameters: int


class ModelFinding(msgspec.Struct, frozen=True):
    """One of `models`: what the notebook says of it, and torchinfo's table where the judge could verify it.

    `history` is thinned to what a plot can show; `epochs` is how long it was.
    """

    name: Name
    epochs: int
    history: History | None
    results: Results | None
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(max_length=500)] = ()


class Misclassified(msgspec.Struct, frozen=True):
    """A visible test image that the best model got most wrong; `confidence` is what it gave the wrong class."""

    image: PNG
    label: Class
    predicted: Class
    confidence: float


class Best(msgspec.Struct, frozen=True):
    """The most accurate verified model on the test images the notebook saw: counts of class i taken for j."""

    name: Name
    confusion: Annotated[
        tuple[Annotated[tuple[int, ...], msgspec.Meta(max_length=10)], ...], msgspec.Meta(max_length=10)
    ]
    misread: Annotated[tuple[Misclassified, ...], msgspec.Meta(max_length=24)]


class Overlay(msgspec.Struct, frozen=True):
    """The student's `cam` map of a visible image, drawn over it."""

    model: Name
    label: Class
    predicted: Class
    image: PNG
    overlay: PNG


class CNNFindings(Findings, frozen=True, kw_only=True):
    """All findings of one submission."""

    schema: Literal["splot/findings/v1"] = SCHEMA
    comparisons: Annotated[tuple[Comparison, ...], msgspec.Meta(max_length=16)] = ()
    models: Annotated[tuple[ModelFinding, ...], msgspec.Meta(max_length=32)] = ()
    best: Best | None = None
    overlays: Annotated[tuple[Overlay, ...], msgspec.Meta(max_length=8)] = ()


def join_findings(before: CNNFindings, after: CNNFindings) -> CNNFindings:
    """Join the findings of a run with those of a later one on more data, which may have ended before the last model."""
    later = {model.name: model for model in after.models}
    names = [*(model.name for model in before.models), *later]
    models = {model.name: model for model in before.models} | later
    return CNNFindings(
        faults=(*before.faults, *after.faults)[:MAX_FAULTS],
        comparisons=before.comparisons,
        models=tuple(models[name] for name in dict.fromkeys(names)),
        best=after.best or before.best,
        overlays=after.overlays or before.overlays,
    )
