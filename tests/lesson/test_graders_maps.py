"""Maps are compared at any size, however they were resized, in little time; another map never agrees."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

from autograder.lesson.graders.activations import AGREEMENT, best_correlation, maps_agree

RESIZING_METHODS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "nearest": lambda m, side: F.interpolate(m[None, None], (side, side), mode="nearest")[0, 0],
    "bilinear": lambda m, side: F.interpolate(m[None, None], (side, side), mode="bilinear")[0, 0],
    "bilinear, ReLU": lambda m, side: F.interpolate(m[None, None], (side, side), mode="bilinear")[0, 0].relu(),
    "bicubic": lambda m, side: F.interpolate(m[None, None], (side, side), mode="bicubic")[0, 0],
    "corners aligned": lambda m, side: F.interpolate(m[None, None], (side, side), mode="bicubic", align_corners=True)[
        0, 0
    ],
    "Pillow, nearest": lambda m, side: _pillow(m, side, Image.Resampling.NEAREST),
    "Pillow, bicubic": lambda m, side: _pillow(m, side, Image.Resampling.BICUBIC),
    "Pillow, Lanczos": lambda m, side: _pillow(m, side, Image.Resampling.LANCZOS),
    "SciPy, order 0": lambda m, side: _scipy(m, side, 0),
    "SciPy, order 1": lambda m, side: _scipy(m, side, 1),
    "SciPy, order 3": lambda m, side: _scipy(m, side, 3),
}


def _pillow(plane: Tensor, side: int, how: Image.Resampling) -> Tensor:
    return torch.from_numpy(np.array(Image.fromarray(plane.numpy()).resize((side, side), how)))


def _scipy(plane: Tensor, side: int, order: int) -> Tensor:
    return torch.from_numpy(ndimage.zoom(plane.numpy(), [side / own for own in plane.shape], order=order))


def _noise(h: int, w: int, seed: int = 0) -> Tensor:
    return torch.randn(h, w, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("side", [3, 28, 129, 2000])
@pytest.mark.parametrize("way", RESIZING_METHODS)
def test_a_right_map_is_known_at_any_size(way: str, side: int) -> None:
    """Of noise, the hardest to resize alike: in each library's way, smaller or larger, also by half a thousand times."""
    for own in ((3, 3), (13, 11)):
        assert best_correlation(RESIZING_METHODS[way](_noise(*own), side), _noise(*own)) >= AGREEMENT


@pytest.mark.parametrize("side", [3, 28, 129, 2000])
def test_another_map_is_not(side: int) -> None:
    """Not even on nine pixels."""
    for own in (3, 7, 24):
        assert not maps_agree(RESIZING_METHODS["bilinear"](_noise(own, own, 1), side), _noise(own, own))


def test_the_largest_map_is_compared_in_little_time() -> None:
    """2000×2000 in well under a second of CPU; all ten classes' are compared for one message."""
    returned = _noise(2000, 2000)
    started = time.process_time()
    best_correlation(returned, _noise(26, 26, 1))
    assert time.process_time() - started < 2
