import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from reference.convolution import (
    convolution,
    convolution_loops,
    convolution_matrix,
    convolution_same,
)

Convolution = Callable[[Any, Any, int], Any]
ALL: tuple[Convolution, ...] = (convolution, convolution_matrix, convolution_loops)
SHEET = (
    ((6, 6, 3), (3, 3, 3, 5)),
    ((12, 12, 3), (3, 3, 3, 5)),
    ((24, 24, 3), (1, 1, 3, 10)),
)


def _by_pytorch(X: torch.Tensor, K: torch.Tensor, padding: int = 0) -> torch.Tensor:
    maps = F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1), padding=padding)
    return maps[0].permute(1, 2, 0)


def _drawn(image: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(hash((image, kernel)))
    X = torch.randn(image, dtype=torch.float64, generator=generator)
    return X, torch.randn(kernel, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(("image", "kernel"), SHEET)
def test_the_sheets_cases_are_exact(function: Convolution, image: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    """On the sheet's small integers every implementation equals PyTorch's to the last bit."""
    X = (torch.arange(math.prod(image)).float() % 5).reshape(image)
    K = (torch.arange(math.prod(kernel)).float() % 3 - 1).reshape(kernel)
    assert torch.equal(function(X, K, kernel[-1]), _by_pytorch(X, K))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
    size=st.integers(1, 5),
)
def test_any_fitting_shape_gives_what_pytorch_gives(
    height: int, width: int, channels: int, filters: int, size: int
) -> None:
    """Oblong images, one channel, one filter, a kernel as large as the image: all as F.conv2d."""
    k = min(size, height, width)
    X, K = _drawn((height, width, channels), (k, k, channels, filters))
    for function in ALL:
        torch.testing.assert_close(function(X, K, filters), _by_pytorch(X, K), rtol=1e-12, atol=1e-12)
    if k % 2:
        same = convolution_same(X, K, filters)
        torch.testing.assert_close(same, _by_pytorch(X, K, k // 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", [*ALL, convolution_same])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_what_comes_out_is_of_the_kind_that_went_in(function: Convolution, dtype: str) -> None:
    """NumPy gives NumPy, torch gives torch, both with the input's dtype and the same numbers."""
    X = np.arange(5 * 4 * 2).reshape(5, 4, 2).astype(dtype)
    K = (np.arange(3 * 3 * 2 * 2).reshape(3, 3, 2, 2) % 4).astype(dtype)
    by_numpy = function(X, K, 2)
    by_torch = function(torch.from_numpy(X), torch.from_numpy(K), 2)
    assert isinstance(by_numpy, np.ndarray)
    assert isinstance(by_torch, torch.Tensor)
    assert by_numpy.dtype == dtype
    assert by_torch.dtype == getattr(torch, dtype)
    assert np.array_equal(by_numpy, by_torch.numpy())


@pytest.mark.parametrize("function", [*ALL, convolution_same])
def test_views_of_a_larger_image_are_read_right_and_left_alone(function: Convolution) -> None:
    """A transposed, strided view gives what its copy gives, and no input is written to."""
    whole, K = _drawn((9, 11, 6), (3, 3, 3, 2))
    before, kernel_before = whole.clone(), K.clone()
    view = whole[1:, ::2, 1::2].transpose(0, 1)
    assert torch.equal(function(view, K, 2), function(view.clone(), K, 2))
    array = whole.numpy()[1:, ::2, 1::2].transpose(1, 0, 2)
    assert np.array_equal(function(array, K.numpy(), 2), function(array.copy(), K.numpy(), 2))
    assert torch.equal(whole, before)
    assert torch.equal(K, kernel_before)


@pytest.mark.parametrize("function", [*ALL, convolution_same])
@pytest.mark.parametrize(
    ("image", "kernel", "q", "sentence"),
    [
        ((6, 6), (3, 3, 1, 2), 2, r"X must have the shape \(h, w, d\), not \(6, 6\)"),
        ((6, 6, 3), (3, 3, 3), 3, r"K must have the shape \(k, k, d, q\), not \(3, 3, 3\)"),
        ((6, 6, 3), (3, 1, 3, 2), 2, r"K must have the shape"),
        ((6, 6, 3), (3, 3, 2, 5), 5, "K takes 2 channels, and X has 3"),
        ((6, 6, 3), (3, 3, 3, 5), 4, "K holds 5 filters, and q is 4"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    function: Convolution,
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    q: int,
    sentence: str,
) -> None:
    """Each wrong shape raises ValueError with the numbers that do not fit."""
    with pytest.raises(ValueError, match=sentence):
        function(np.zeros(image), np.zeros(kernel), q)


@pytest.mark.parametrize("function", ALL)
def test_a_kernel_larger_than_the_image_is_refused(function: Convolution) -> None:
    """A kernel that fits nowhere raises ValueError, never an empty or negative shape."""
    with pytest.raises(ValueError, match="5×5 kernel does not fit"):
        function(np.zeros((6, 4, 1)), np.zeros((5, 5, 1, 1)), 1)


def test_same_padding_refuses_even_kernels() -> None:
    """No frame is equally wide on all sides of an even kernel's output."""
    with pytest.raises(ValueError, match="odd kernel, not 2×2"):
        convolution_same(np.zeros((6, 6, 1)), np.zeros((2, 2, 1, 1)), 1)
