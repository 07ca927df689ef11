"""Task 5 as pictures: the maps that `cam` gave, laid over the visible images they belong to."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.lesson.evidence import LessonEvidence
from autograder.lesson.findings import Overlay
from autograder.lesson.graders.activations import CELL, judged_model
from autograder.lesson.measure import Measurements
from autograder.lesson.records import MapRecord, map_array

ENLARGED = 112  # pixels a side of a map over its image
# Anchors of a scale from black over violet and orange to pale yellow: lightness alone orders it, in grey print too.
HEAT = np.array([[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]], dtype=np.float64)
HEAT_SHARE = 0.6
MOST = 1e30  # whose differences are still numbers

Bytes = NDArray[np.uint8]


def image_png(image: Tensor) -> bytes:
    """Return a data set's image, uint8 (H, W) or (H, W, 3), as it is."""
    return _png(_colours(image))


def enlarged_png(image: Tensor) -> bytes:
    """Return the image at the size of `overlay_png`, its pixels kept as squares."""
    return _png(_resized(_colours(image), Image.Resampling.NEAREST))


def overlay_png(image: Tensor, activation: NDArray[np.float64]) -> bytes:
    """Lay a map (h, w) of any scale over its image, uint8 (H, W) or (H, W, 3)."""
    plain = np.clip(activation, -MOST, MOST)
    low, high = float(plain.min()), float(plain.max())
    scaled = (plain - low) / (high - low or 1.0)
    plane = _resized((scaled * 255).astype(np.uint8), Image.Resampling.BILINEAR).astype(np.float64) / 255
    anchors = np.linspace(0, 1, len(HEAT))
    heat = np.stack([np.interp(plane, anchors, HEAT[:, channel]) for channel in range(3)], axis=-1)
    grey = _resized(_colours(image), Image.Resampling.NEAREST).mean(axis=-1, keepdims=True)
    return _png((HEAT_SHARE * heat + (1 - HEAT_SHARE) * grey).astype(np.uint8))


def _colours(image: Tensor) -> Bytes:
    pixels: Bytes = image.numpy()
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _resized(pixels: Bytes, how: Image.Resampling) -> Bytes:
    return np.asarray(Image.fromarray(pixels).resize((ENLARGED, ENLARGED), how))


def _png(pixels: Bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


SHOWN = 4
LARGEST = 1_024  # pixels a side


def overlays(evidence: LessonEvidence, measurements: Measurements) -> tuple[Overlay, ...]:
    """Return the first maps that are maps, of the model Task 5 judges; where none fits, of the first that gave any."""
    records = [record for record in evidence.maps(CELL) if record.array and record.failure is None]
    found: dict[str, list[Overlay]] = {}
    for record in records:
        if (overlay := _overlay(evidence, record, measurements)) is not None:
            found.setdefault(record.model, []).append(overlay)
    chosen = found.get(_judged(evidence, measurements)) or next(iter(found.values()), [])
    return tuple(chosen[:SHOWN])


def _judged(evidence: LessonEvidence, measurements: Measurements) -> str:
    try:
        return judged_model(evidence, measurements).name
    except (AbsentError, AssertionError, EvidenceError, UndecidedError):  # the check says so
        return ""


def _overlay(evidence: LessonEvidence, record: MapRecord, measurements: Measurements) -> Overlay | None:
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
