"""Compare two maps whatever their resolution, scale and offset: by correlation, under the usual ways of resizing."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AGREEMENT = 0.98
FLAT = 1e-6  # relative to the map's own size: what float32 leaves of a constant
LARGEST = 128  # pixels a side that are compared; of larger maps, means of areas
WAYS: tuple[dict[str, Any], ...] = (
    {"mode": "nearest"},
    {"mode": "nearest-exact"},
    {"mode": "area"},
    *(
        {"mode": mode} | options
        for mode in ("bilinear", "bicubic")
        for options in ({}, {"align_corners": True}, {"antialias": True})
    ),
)
PICKS: tuple[Callable[[int, int, int], int], ...] = (
    lambda pixel, length, wanted: (2 * pixel + 1) * length // (2 * wanted),
    lambda pixel, length, wanted: (2 * pixel * (length - 1) + wanted - 1) // max(1, 2 * (wanted - 1)),
)
"""Which pixel of `length` is repeated as one of `wanted`: with Pillow, and with SciPy's `zoom(order=0)`."""


def alike(returned: Tensor, right: Tensor) -> bool:
    """Whether a map (h, w) shows what the right one shows, at its own resolution."""
    return any(reached >= AGREEMENT for reached in _likenesses(returned, right))


def likeness(returned: Tensor, right: Tensor) -> float:
    """Return the best correlation with the right map, resized in the usual ways, before or after a ReLU."""
    return max(_likenesses(returned, right))


def _likenesses(returned: Tensor, right: Tensor) -> Iterator[float]:
    h, w = returned.shape
    size = min(h, LARGEST), min(w, LARGEST)
    seen = F.adaptive_avg_pool2d(returned.double()[None], size)[0]
    for way in range(len(WAYS) + len(PICKS)):
        rows, columns = _resizing(way, right.shape[0], h), _resizing(way, right.shape[1], w)
        for base in (right.double(), right.double().relu()):
            resized = rows @ base @ columns.T
            yield correlation(seen, resized)
            yield correlation(seen, resized.relu())


@lru_cache(maxsize=64)
def _resizing(way: int, length: int, wanted: int) -> Tensor:
    """Return the matrix (seen, length) that resizes one axis, then takes means where that is more than is compared.

    Each way of resizing treats the axes apart and is linear, so that no map is ever made as large as the one returned.
    """
    each = torch.eye(length, dtype=torch.float64)[None, :, :, None].repeat(
        1, 1, 1, 2
    )  # two columns: one is not aligned
    if way < len(WAYS):
        resized = F.interpolate(each, (wanted, 2), **WAYS[way])[..., :1]
    else:
        pick = PICKS[way - len(WAYS)]
        resized = each[:, :, [pick(pixel, length, wanted) for pixel in range(wanted)], :1]
    return F.adaptive_avg_pool2d(resized, (min(wanted, LARGEST), 1))[0, :, :, 0].T


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; two constant maps agree, a constant and another do not."""
    if flat(a) or flat(b):
        return float(flat(a) and flat(b))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()))


def flat(a: Tensor) -> bool:
    """Whether all values are equal, but for rounding."""
    return bool((a - a.mean()).norm() <= FLAT * torch.linalg.vector_norm(a))
