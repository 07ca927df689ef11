"""Task 1: convolution (strictly, cross-correlation) of one image with a bank of filters.

Every function takes X of shape (h, w, d) and K of shape (k, k, d, q), both NumPy arrays or both
torch tensors, and gives back the same kind, with the dtype that their product has.

M[i, j, f] = sum over a, b, c of K[a, b, c, f] * X[i + a, j + b, c]
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

# Constrained to two kinds: NumPy in, NumPy out; torch in, torch out.
Array = TypeVar("Array", npt.NDArray[Any], torch.Tensor)


def convolution(X: Array, K: Array, q: int) -> Array:
    """Slide all q filters over the image, without a loop.

    The windows are a strided view of the image, so the only copy is the one that lays them out as
    rows for a single matrix product (im2col: Chellapilla, Puri and Simard 2006, section 3.1).

    X is the image, (h, w, d); K the filters, (k, k, d, q); q how many filters K holds. Returns the
    feature maps, (h - k + 1, w - k + 1, q). Raises `ValueError` where they do not fit together.
    """
    k, height, width = _output_size(X, K, q)
    rows = _windows(X, k).reshape(height * width, -1)
    maps: Array = (rows @ K.reshape(-1, q)).reshape(height, width, q)
    return maps


def convolution_matrix(X: Array, K: Array, q: int) -> Array:
    """Give what `convolution` gives, as one product of matrices built by indexing.

    Row i * width + j of the left matrix holds the pixels that the window at (i, j) covers; column f
    of the right one holds filter f. Shapes, errors: as `convolution`.
    """
    k, height, width = _output_size(X, K, q)
    row = np.arange(height)[:, None, None, None] + np.arange(k)[None, None, :, None]
    column = np.arange(width)[None, :, None, None] + np.arange(k)[None, None, None, :]
    patches = X[row, column].reshape(height * width, -1)
    maps: Array = (patches @ K.reshape(-1, q)).reshape(height, width, q)
    return maps


def convolution_same(X: Array, K: Array, q: int) -> Array:
    """Convolve with zero padding, so that the feature maps are as large as the image.

    Returns feature maps of shape (h, w, q). Raises `ValueError` as `convolution` does, and for an
    even k, where no frame is equally wide on all sides.
    """
    _check(X, K, q)
    k = K.shape[0]
    if k % 2 == 0:
        raise ValueError(f"Zero padding on all sides needs an odd kernel, not {k}×{k}.")
    frame = k // 2
    if isinstance(X, torch.Tensor):
        return convolution(torch.nn.functional.pad(X, (0, 0, frame, frame, frame, frame)), K, q)
    return convolution(np.pad(X, ((frame, frame), (frame, frame), (0, 0))), K, q)


def convolution_loops(X: Array, K: Array, q: int) -> Array:
    """Give what `convolution` gives, by the formula alone: slow, written to be read."""
    k, height, width = _output_size(X, K, q)
    shape = height, width, q
    if isinstance(X, torch.Tensor):
        maps = X.new_zeros(shape, dtype=torch.promote_types(X.dtype, K.dtype))
    else:
        maps = np.zeros(shape, dtype=np.result_type(X, K))
    for i in range(height):
        for j in range(width):
            window = X[i : i + k, j : j + k, :]
            for f in range(q):
                maps[i, j, f] = (window * K[:, :, :, f]).sum()
    return maps


def _check(X: Array, K: Array, q: int) -> None:
    if X.ndim != 3:
        raise ValueError(f"X must have the shape (h, w, d), not {tuple(X.shape)}.")
    if K.ndim != 4 or K.shape[0] != K.shape[1]:
        raise ValueError(f"K must have the shape (k, k, d, q), not {tuple(K.shape)}.")
    if K.shape[2] != X.shape[2]:
        raise ValueError(f"K takes {K.shape[2]} channels, and X has {X.shape[2]}.")
    if K.shape[3] != q:
        raise ValueError(f"K holds {K.shape[3]} filters, and q is {q}.")


def _output_size(X: Array, K: Array, q: int) -> tuple[int, int, int]:
    """Check the arguments; return the kernel's size and the feature map's height and width."""
    _check(X, K, q)
    k = K.shape[0]
    height, width = X.shape[0] - k + 1, X.shape[1] - k + 1
    if k < 1 or height < 1 or width < 1:
        raise ValueError(f"A {k}×{k} kernel does not fit into an image of {tuple(X.shape[:2])}.")
    return k, height, width


def _windows(X: Array, k: int) -> Array:
    """All k × k windows, shape (h - k + 1, w - k + 1, k, k, d): a view, no pixel is copied."""
    h, w, d = X.shape
    shape = (h - k + 1, w - k + 1, k, k, d)
    if isinstance(X, torch.Tensor):
        s = X.stride()
        return X.as_strided(shape, (s[0], s[1], s[0], s[1], s[2]), X.storage_offset())
    s = X.strides
    steps = (s[0], s[1], s[0], s[1], s[2])
    return np.lib.stride_tricks.as_strided(X, shape, steps, writeable=False)
