"""Held-out images under a small change that nobody can foresee: a shift, another contrast, noise.

Which images are held out is public, so a network may have been trained on them elsewhere and know each by heart. A
network that learnt the classes bears the change, as far as `splot calibrate` measured; one that learnt the images falls further.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from reference.data import Images

SHIFT = 1  # pixel, at most, up or down and to a side
CONTRAST = (0.7, 1.3)
NOISE = 10.0  # standard deviation at most, in levels of 0…255
IMAGES = 2_000


def change(images: Images, generator: np.random.Generator) -> Images:
    """Return the images (N, H, W) or (N, H, W, 3), uint8: each shifted, of another contrast about its mean, noisy."""
    pixels = images.images.numpy()
    count, height, width = pixels.shape[:3]
    rows = _shifted(height, generator.integers(-SHIFT, SHIFT + 1, (count,)))[:, :, None]
    columns = _shifted(width, generator.integers(-SHIFT, SHIFT + 1, (count,)))[:, None, :]
    levels = pixels[np.arange(count)[:, None, None], rows, columns].astype(np.float32)
    one_each = (count, *[1] * (levels.ndim - 1))
    mean = levels.mean(axis=tuple(range(1, levels.ndim)), keepdims=True)
    levels = mean + (levels - mean) * generator.uniform(*CONTRAST, one_each).astype(np.float32)
    noise = generator.standard_normal(levels.shape, dtype=np.float32)
    levels += noise * generator.uniform(0, NOISE, one_each).astype(np.float32)
    return Images(torch.from_numpy(levels.round().clip(0, 255).astype(np.uint8)), images.labels)


def _shifted(size: int, by: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each image which row (or column) is seen at each place, (N, size); at the border the last one again."""
    return (np.arange(size) + by[:, None]).clip(0, size - 1)
