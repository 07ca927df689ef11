"""Images of a data set as PNG files, and class activation maps laid over them."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

ENLARGED = 112  # pixels a side of a map over its image
# Anchors of a scale from black over violet and orange to pale yellow: lightness alone orders it, in grey print too.
HEAT = np.array([[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]], dtype=np.float64)
HEAT_SHARE = 0.6
LARGEST = 1e30  # whose differences are still numbers

Bytes = NDArray[np.uint8]


def image_png(image: Tensor) -> bytes:
    """Return a data set's image, uint8 (H, W) or (H, W, 3), as it is."""
    return _png(_colours(image))


def enlarged_png(image: Tensor) -> bytes:
    """Return the image at the size of `overlay_png`, its pixels kept as squares."""
    return _png(_resized(_colours(image), Image.Resampling.NEAREST))


def overlay_png(image: Tensor, activation: NDArray[np.float64]) -> bytes:
    """Lay a map (h, w) of any scale over its image, uint8 (H, W) or (H, W, 3)."""
    plain = np.clip(activation, -LARGEST, LARGEST)
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
