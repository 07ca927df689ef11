"""Compare two maps whatever their resolution, scale and offset: by correlation, under the usual ways of resizing."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

AGREEMENT = 0.98
FLAT = 1e-6  # relative to the map's own size: what float32 leaves of a constant
CORNERS = (("nearest", None), ("bilinear", None), ("bicubic", None), ("bilinear", True), ("bicubic", True))


def alike(returned: Tensor, right: Tensor) -> bool:
    """Whether a map (h, w) shows what the right one shows, at its own resolution."""
    return likeness(returned, right) >= AGREEMENT


def likeness(returned: Tensor, right: Tensor) -> float:
    """Return the best correlation with the right map, resized in the usual ways, before or after a ReLU."""
    return max(correlation(returned, variant) for variant in _variants(right, tuple(returned.shape)))


def _variants(right: Tensor, size: tuple[int, ...]) -> Iterator[Tensor]:
    for base in (right, right.relu()):
        for mode, corners in CORNERS:
            resized = F.interpolate(base[None, None], size, mode=mode, align_corners=corners)[0, 0]
            yield from (resized, resized.relu())


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; two constant maps agree, a constant and another do not."""
    if flat(a) or flat(b):
        return float(flat(a) and flat(b))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()))


def flat(a: Tensor) -> bool:
    """Whether all values are equal, but for rounding."""
    return bool((a - a.mean()).norm() <= FLAT * torch.linalg.vector_norm(a))
