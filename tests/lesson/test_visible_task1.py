"""Task 1's visible tests say of an answer what the hidden checks say."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.engine.notebook.assignment import load_assignment
from autograder.lesson.graders.convolutions import tolerance

SHEET = ((6, 6, 3), (3, 3, 3, 5))
RIGHT: dict[str, Callable[[Any], object]] = {
    "float64": lambda right: right,
    "float32": np.float32,
    "whole numbers": lambda right: right.astype(int),
    "a tensor": torch.from_numpy,
    "a tensor in bfloat16": lambda right: torch.from_numpy(right).bfloat16(),  # the sheet's numbers are small
    "a tensor with a gradient": lambda right: torch.from_numpy(right).requires_grad_(),
    "off by half the tolerance": lambda right: right + tolerance(right) / 2,
}
WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "off by twice the tolerance": (lambda right: right + 2 * tolerance(right), "błędnych wartości jest 80 z 80"),
    "one value": (lambda right: right + np.eye(80)[0].reshape(4, 4, 5), "błędnych wartości jest 1 z 80"),
    "no number": (lambda right: right * np.nan, "błędnych wartości jest 80 z 80"),
    "zeros": (np.zeros_like, "samych zer"),
    "complex": (lambda right: right + 0j, r"weź ich część rzeczywistą: \.real"),
    "truths": (lambda right: right > 0, "nie składa się z liczb, jego typ to bool"),
    "a list": (lambda right: right.tolist(), "wynik ma typ list"),
    "nothing": (lambda _: None, "brakuje return"),
    "another shape": (lambda right: right[1:], r"kształt \(3, 4, 5\), a powinien mieć \(4, 4, 5\)"),
}


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    """Return the names that the notebook's cell of helpers leaves."""
    names: dict[str, Any] = {"np": np, "torch": torch, "F": F, "warnings": warnings}
    exec(load_assignment().by_grade_id["task1_helpers"].source, names)  # noqa: S102 - our own cell
    return names


def run(names: dict[str, Any], answer: Callable[[Any], object]) -> None:
    """Run a visible test on a function that answers so, given the right values."""
    X, K = (
        names["generate_deterministic_tensor"](shape, *how) for shape, how in zip(SHEET, ((5,), (3, -1)), strict=True)
    )
    right = names["expected_convolution"](X, K)
    names["run_pytorch_test"].__globals__["convolution"] = lambda _X, _K, _q: answer(right)
    names["run_pytorch_test"]("PRZYPADEK 1", *SHEET)


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_passes_whatever_its_type(way: str, notebook: dict[str, Any]) -> None:
    """The tolerance is the hidden checks'."""
    run(notebook, RIGHT[way])


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(way: str, notebook: dict[str, Any]) -> None:
    """Wrong values are counted; what is no array of real numbers is refused as the hidden checks refuse it."""
    answer, said = WRONG[way]
    with pytest.raises(AssertionError, match=said):
        run(notebook, answer)
