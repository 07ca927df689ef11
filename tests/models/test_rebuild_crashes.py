"""No operation of the closed list ends the judge's process, whatever its arguments; guarded ones compute what PyTorch does."""

import subprocess
import sys
from itertools import product

import pytest
import torch
from torch import Tensor

from autograder.models.rebuild.operations import aten, functions

GUARDED = ("div.Tensor_mode", "div_.Tensor_mode", "floor_divide.default", "native_batch_norm.default",
           "_native_batch_norm_legit.default", "_weight_norm.default", "_weight_norm_interface.default",
           "upsample_nearest2d.default", "upsample_bilinear2d.vec", "upsample_bicubic2d.default")  # fmt: skip
SCRIPT = """
import sys
from tests.models.operation_fuzz import deaths
first, last, *ops = sys.argv[1:]
found, ran = deaths([(op, seed) for op in ops for seed in range(int(first), int(last))])
print(*found, ran, sep="\\n")
"""


def tried(ops: list[str], seeds: range) -> tuple[list[str], int]:
    """Try calls in a process that has computed nothing before; return what ended one, and how many ran."""
    command = [sys.executable, "-c", SCRIPT, str(seeds.start), str(seeds.stop), *ops]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *found, ran = done.stdout.splitlines()
    return found, int(ran)


@pytest.mark.soak
def test_hostile_arguments_end_no_process() -> None:
    """A drawn call of each operation, and 15 of those that were seen to end one, are refused or run."""
    found, ran = tried(sorted(functions()), range(1))
    assert (found, ran > 100) == ([], True)
    found, ran = tried([f"aten.{name}" for name in GUARDED], range(1000, 1015))
    assert (found, ran > 15) == ([], True)


@pytest.mark.soak
def test_many_hostile_arguments_end_no_process() -> None:
    """The same for 150 calls of each operation."""
    found, ran = tried(sorted(functions()), range(100, 250))
    assert (found, ran > 15_000) == ([], True)


LEAST = torch.tensor([-(2**63)] * 16)
MAP = torch.randn(2, 4, 6, 6)
DEADLY = {
    "the smallest number by -1": ("div.Tensor_mode", (LEAST, torch.tensor(-1)), {"rounding_mode": "trunc"}),
    "the smallest number by -1, in place": ("div_.Tensor_mode", (LEAST, torch.tensor(-1)), {"rounding_mode": "trunc"}),
    "the smallest number by the number -1": ("div.Scalar_mode", (LEAST, -1), {"rounding_mode": "floor"}),
    "the smallest number by -1, floored": ("floor_divide.default", (LEAST, torch.tensor(-1)), {}),
    "the smallest number of 32 bits": (
        "div.Tensor_mode", (torch.full((16,), -(2**31), dtype=torch.int32), torch.tensor(-1)), {"rounding_mode": "trunc"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DEADLY)
def test_the_smallest_number_by_minus_one_stays(name: str) -> None:
    """Division of the smallest whole number by -1 wraps around, as negation does."""
    op, (value, divisor), options = DEADLY[name]
    before = value.clone()
    assert torch.equal(functions()[f"aten.{op}"](value.clone(), divisor, **options), before)


REFUSED = {
    "scale of nothing": ("upsample_nearest2d.default", (MAP, [12, 12], 1e-300, 1e-300)),
    "scale that does not fit": ("upsample_bilinear2d.default", (MAP, [12, 12], False, 1.5, 2.0)),
    "negative scale": ("upsample_bicubic2d.default", (MAP, [12, 12], False, -2.0, -2.0)),
    "scale without end": ("upsample_nearest2d.vec", (MAP, None, [float("inf"), 2.0])),
    "scale that is no number": ("upsample_bilinear2d.vec", (MAP, None, False, [float("nan"), 2.0])),
    "scale to no pixel": ("upsample_nearest2d.vec", (MAP, None, [0.01, 1.0])),
    "too few means": ("native_batch_norm.default", (MAP, None, None, torch.ones(1), torch.ones(1), True, 0.1, 1e-5)),
    "too few weights": ("_native_batch_norm_legit.default",
                        (MAP, torch.ones(1), None, torch.ones(4), torch.ones(4), False, 0.1, 1e-5)),
    "too few norms": ("_weight_norm_interface.default", (torch.ones(9, 4), torch.ones(1), 0)),
    "too few norms, last axis": ("_weight_norm.default", (torch.ones(9, 4), torch.ones(1), 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_takes_on_trust_is_refused(name: str) -> None:
    """Scales that do not lead to the size, vectors shorter than what they belong to."""
    op, arguments = REFUSED[name]
    with pytest.raises((ValueError, OverflowError)):
        functions()[f"aten.{op}"](*arguments)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.uint8, torch.float32])
def test_guarded_division_is_pytorchs(dtype: torch.dtype) -> None:
    """The same quotients and dtypes, rounded either way or not at all, by tensors and numbers."""
    value = torch.tensor([7, 1, 0, 5, 100, 3]).to(dtype) * (1 if dtype is torch.uint8 else -1)
    by = torch.tensor([1, 2, 3, 2, 7, 1]).to(dtype)
    divisors: list[Tensor | float] = [by, by if dtype is torch.uint8 else -by, torch.tensor(2.5), torch.tensor(3)]
    for mode, divisor in product(("floor", "trunc", None), divisors):
        expected = aten("aten.div.Tensor_mode")(value, divisor, rounding_mode=mode)
        quotient = functions()["aten.div.Tensor_mode"](value, divisor, rounding_mode=mode)
        assert torch.equal(quotient, expected)
        assert quotient.dtype == expected.dtype


def test_guarded_resizing_is_pytorchs() -> None:
    """Sizes and the scales that lead to them give what they give in the notebook, to the last bit."""
    for scale in (2.0, 1.5, 0.5, 7 / 6):
        size = [int(6 * scale)] * 2
        op = "aten.upsample_bilinear2d.default"
        assert torch.equal(functions()[op](MAP, size, False, scale, scale), aten(op)(MAP, size, False, scale, scale))
        op = "aten.upsample_nearest2d.vec"
        assert torch.equal(functions()[op](MAP, None, [scale, scale]), aten(op)(MAP, None, [scale, scale]))


def test_memory_as_it_lies_is_no_data() -> None:
    """What PyTorch would leave undefined is zeros, of the shape and dtype asked for."""
    table = functions()
    made = [table["aten.empty.memory_format"]([2, 3], dtype=torch.int64), table["aten.new_empty.default"](MAP, [2, 3]),
            table["aten.empty_like.default"](MAP, memory_format=torch.preserve_format)]  # fmt: skip
    assert [(tuple(m.shape), m.dtype) for m in made] == [
        ((2, 3), torch.int64),
        ((2, 3), MAP.dtype),
        (MAP.shape, MAP.dtype),
    ]
    assert not any(m.any() for m in made)
