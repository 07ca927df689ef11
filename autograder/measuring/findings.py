"""Findings: what the judge saw on the way, for the pages people read: no expected value, no held-out image.

The judge leaves them beside the evidence they were measured on, so a page is drawn without measuring anything again.
Their reader trusts them as little as evidence: the judge handles what a stranger made.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from autograder.errors import EvidenceError
from autograder.evidence.reader import UNREADABLE
from autograder.evidence.records import History, Name, Results
from autograder.files import read_beneath
from autograder.text import say

SCHEMA: Final = "splot/findings/v1"
FILE = "findings.json"
MAX_FINDINGS = 16_000_000

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
    """One call of a Task 1 function: their first map's grey levels beside the right shape, and where it is wrong.

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


class Misread(msgspec.Struct, frozen=True):
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
    misread: Annotated[tuple[Misread, ...], msgspec.Meta(max_length=24)]


class Overlay(msgspec.Struct, frozen=True):
    """What their `cam` gave for a visible image, laid over it."""

    model: Name
    label: Class
    predicted: Class
    image: PNG
    overlay: PNG


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one submission; `faults` names what could not be drawn, for the instructor."""

    schema: Literal["splot/findings/v1"] = SCHEMA
    comparisons: Annotated[tuple[Comparison, ...], msgspec.Meta(max_length=16)] = ()
    models: Annotated[tuple[ModelFinding, ...], msgspec.Meta(max_length=32)] = ()
    best: Best | None = None
    overlays: Annotated[tuple[Overlay, ...], msgspec.Meta(max_length=8)] = ()
    faults: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()


def read_findings(evidence: Path) -> Findings:
    """Read them; raises `EvidenceError` where there are none, or not of this form."""
    raw = read_beneath(evidence, FILE, limit=MAX_FINDINGS)
    try:
        return msgspec.json.decode(raw, type=Findings)
    except UNREADABLE as error:
        path = evidence / FILE
        raise EvidenceError(
            say(pl=f"{path} nie zawiera wyników pomiaru: {error}.", en=f"{path} does not hold findings: {error}.")
        ) from error
