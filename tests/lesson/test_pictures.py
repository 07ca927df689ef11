"""What the judge draws bears any array, and can be read without colour."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.pages.feedback import feedback
from autograder.engine.text import Lang
from autograder.lesson.findings import CNNFindings
from autograder.lesson.graders.convolutions import RANDOM, CallAnswer
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import CallRecord, Flavour
from autograder.lesson.pictures import ENLARGED, _compare, _misread, enlarged_png, image_png, overlay_png
from autograder.lesson.presentation import class_name
from reference.convolution import convolution
from tests.engine.graded_pages import leave, report_saying

GREY = torch.arange(28 * 28, dtype=torch.uint8).reshape(28, 28)
COLOUR = torch.arange(32 * 32 * 3, dtype=torch.int64).remainder(256).to(torch.uint8).reshape(32, 32, 3)
X, K = np.arange(25.0).reshape(5, 5, 1), np.ones((3, 3, 1, 2))
RIGHT = np.asarray(convolution(X, K, 2))

ODD = {
    "right": RIGHT,
    "not a number": np.full_like(RIGHT, np.nan),
    "infinite": np.where(RIGHT > 60, np.inf, -np.inf),
    "enormous": RIGHT * 1e306,
    "empty": np.zeros((0, 3, 2)),
    "without filters": np.zeros((3, 3, 0)),
    "one number": np.array(7.0),
    "a map": RIGHT[..., 0],
    "five axes": np.ones((1, 2, 1, 2, 1)),
    "bytes": RIGHT.astype(np.uint8),
    "half": RIGHT.astype(np.float16),
    "truths": RIGHT > 60,
    "a large map": np.ones((300, 400, 2)),
}


@pytest.mark.parametrize("name", ODD)
def test_any_array_can_be_compared_and_shown(name: str, tmp_path: Path) -> None:
    """Whatever a function returns, its comparison is well-formed, and the page draws it."""
    answer = CallAnswer(CallRecord("real", Flavour.NUMPY), X, K, 2, returned=ODD[name])
    compared = _compare(RANDOM[0], answer, ODD[name], RIGHT)
    kept = msgspec.json.decode(msgspec.json.encode(CNNFindings(comparisons=(compared,))), type=CNNFindings)
    assert bool(kept.comparisons[0].errors) == (ODD[name].shape == RIGHT.shape)
    assert any(map(any, compared.errors)) == (name in {"not a number", "infinite", "enormous", "truths"})
    assert "3×3×2" in feedback(leave(tmp_path, report_saying("x"), kept), load_assignment(), Lang.PL)


def test_the_levels_are_of_the_largest_value() -> None:
    """None, up to a hundredth, a tenth, once, and more than the largest right value."""
    largest = np.abs(RIGHT).max()
    given = RIGHT.copy()
    given[0, :, 0] += np.array([0, 0.005, 0.05]) * largest
    given[1, :2, 1] += np.array([0.5, 5]) * largest
    answer = CallAnswer(CallRecord("real", Flavour.NUMPY), X, K, 2, returned=given)
    assert _compare(RANDOM[0], answer, given, RIGHT).errors == ((0, 1, 2), (3, 4, 0), (0, 0, 0))


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_an_image_is_shown_as_it_is(image: torch.Tensor) -> None:
    """Grey and colour, in its own size, and enlarged in squares."""
    same = np.asarray(Image.open(io.BytesIO(image_png(image))))
    expected = image.numpy() if image.ndim == 3 else np.repeat(image.numpy()[..., None], 3, axis=2)
    assert (same == expected).all()
    enlarged = np.asarray(Image.open(io.BytesIO(enlarged_png(image))))
    assert enlarged.shape == (ENLARGED, ENLARGED, 3)
    assert {tuple(pixel) for row in enlarged for pixel in row} <= {tuple(pixel) for row in expected for pixel in row}


def test_the_surest_mistakes_come_first() -> None:
    """By how sure the model was of its wrong class, also where float64 rounds all of them to 1, and of softmax's shares."""
    labels = torch.zeros(4, dtype=torch.int64)
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    evaluation = SimpleNamespace(visible=SimpleNamespace(labels=labels, images=images))
    measurements = cast("Measurements", SimpleNamespace(images=evaluation))
    scores = torch.zeros(4, 10)
    scores[0, 0] = 9  # right
    scores[1, [0, 1]] = torch.tensor([-9.0, 0.5])  # its own class got least of all, but nothing got much
    scores[2, 2] = 60.0
    scores[3, 3] = 90.0
    assert [mistake.predicted for mistake in _misread(scores, measurements)] == [3, 2, 1]
    shares = _misread(scores.softmax(1), measurements)
    assert shares[-1].confidence == pytest.approx(float(scores[1].softmax(0).max()), abs=1e-3)


def test_a_map_is_read_by_lightness_alone() -> None:
    """On an even image, printed in grey, the more a map says the lighter it is."""
    ramp = np.linspace(-3, 9, 12)[None].repeat(12, axis=0)
    picture = Image.open(io.BytesIO(overlay_png(torch.full((28, 28), 90, dtype=torch.uint8), ramp))).convert("L")
    row = np.asarray(picture)[ENLARGED // 2].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[-1] - row[0] > 100


@settings(max_examples=50, derandomize=True, deadline=None)
@given(arrays.arrays(np.float64, st.tuples(*[st.integers(1, 9)] * 2), elements=st.floats(allow_nan=False)))
def test_any_finite_map_can_be_laid_over_an_image(
    activation: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    """Of any size, constant or huge."""
    assert Image.open(io.BytesIO(overlay_png(COLOUR, activation))).size == (ENLARGED, ENLARGED)


def test_classes_have_names_in_both_data_sets() -> None:
    """Ten different ones; an unknown data set's are numbers."""
    for dataset in ("FashionMNIST", "CIFAR10"):
        assert len({class_name(dataset, label) for label in range(10)}) == 10
    assert class_name(None, 3) == "3"
