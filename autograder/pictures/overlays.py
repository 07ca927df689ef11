"""Task 5 as pictures: the maps that `cam` gave, laid over the visible images they belong to."""

import numpy as np

from autograder.errors import EvidenceError
from autograder.evidence.outbox import map_array
from autograder.evidence.reader import Evidence
from autograder.evidence.records import MapRecord
from autograder.graders.task5 import CELL, judged_model
from autograder.measuring.findings import Overlay
from autograder.measuring.measure import Measurements
from autograder.measuring.verdicts import AbsentError, UndecidedError

from .images import enlarged_png, overlay_png

SHOWN = 4
LARGEST = 1_024  # pixels a side


def overlays(evidence: Evidence, measurements: Measurements) -> tuple[Overlay, ...]:
    """Return the first maps that are maps, of the model Task 5 judges; where none fits, of the first that gave any."""
    records = [record for record in evidence.maps(CELL) if record.array and record.failure is None]
    found: dict[str, list[Overlay]] = {}
    for record in records:
        if (overlay := _overlay(evidence, record, measurements)) is not None:
            found.setdefault(record.model, []).append(overlay)
    chosen = found.get(_judged(evidence, measurements)) or next(iter(found.values()), [])
    return tuple(chosen[:SHOWN])


def _judged(evidence: Evidence, measurements: Measurements) -> str:
    try:
        return judged_model(evidence, measurements).name
    except (AbsentError, AssertionError, EvidenceError, UndecidedError):  # the check says so
        return ""


def _overlay(evidence: Evidence, record: MapRecord, measurements: Measurements) -> Overlay | None:
    activation = evidence.array("arrays", map_array(record)).astype(np.float64)
    visible = measurements.split.visible
    there = record.image < len(visible.labels) and 0 <= record.class_index < 10
    drawable = activation.ndim == 2 and 0 < activation.size <= LARGEST**2 and np.isfinite(activation).all()
    if not (there and drawable):
        return None
    image = visible.images[record.image]
    return Overlay(
        record.model,
        int(visible.labels[record.image]),
        record.class_index,
        enlarged_png(image),
        overlay_png(image, activation),
    )
