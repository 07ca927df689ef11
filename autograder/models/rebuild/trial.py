"""Tries each step on fake tensors first: shapes and dtypes must be as declared, sizes and cost within limits."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules.batchnorm import _BatchNorm

from autograder.models import refusal

from .module import Step, last_uses
from .operations import KINDS, StepKind, packet
from .schema import ALLOWED_CONSTANTS, MAX_ELEMENTS, InputEntry, Operation, Ref

MAX_LIVE = 2**29  # elements that the values of one batch hold at one time
MAX_TOTAL = 2**35  # elements that are computed for one batch
MAX_WORK = 2**42  # multiplications of one batch, roughly
PRODUCTS = {"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"}


class Trial:
    """Runs steps on fake tensors, and adds up the memory and multiplications of the real run."""

    def __init__(self, images: InputEntry) -> None:
        # PyTorch's own fake tensors; an operation they do not know is refused, not run.
        self._fake = FakeTensorMode(allow_fallback_kernels=False, allow_non_fake_inputs=True)
        self._elements = 0
        self._work = 0.0
        with self._fake:
            self.samples: dict[str, Any] = {
                images.name: torch.empty(images.shape, dtype=ALLOWED_CONSTANTS[f"torch.{images.dtype}"])
            }

    def add_weight(self, name: str, tensor: Tensor) -> None:
        """Note the stand-in of a weight."""
        self.samples[name] = self._fake.from_tensor(tensor)

    def run(self, step: Step) -> Any:
        """Try a step and note its result; raises `EvidenceError` when it fails or costs too much."""
        if isinstance(step.layer, _BatchNorm) and _fits(step.layer, self.samples[step.references[0]]):
            step = replace(step, function=torch.empty_like)
        with _silent(), self._fake:
            result = step(self.samples)
        self.samples[step.name] = result
        for tensor in _tensors(result):
            self._elements += tensor.numel()
            if tensor.numel() > MAX_ELEMENTS or self._elements > MAX_TOTAL:
                raise refusal(
                    pl=f"Wartości obliczane w modelu aż do kroku {step.name} zajmują za dużo pamięci.",
                    en=f"The model's values up to {step.name} take too much memory.",
                )
        return result

    def check_memory(self, steps: Sequence[Step]) -> None:
        """Reject a model whose values, each freed after its last use, need too much memory at one time."""
        live = 0
        for step, spent in zip(steps, last_uses(steps), strict=True):
            live += self._size(step.name)
            if live > MAX_LIVE:
                raise refusal(
                    pl=f"Wartości trzymane w modelu przy kroku {step.name} zajmują razem za dużo pamięci.",
                    en=f"The model's values at {step.name} take too much memory together.",
                )
            live -= sum(self._size(name) for name in spent)

    def count_work(self, operation: Operation) -> None:
        """Add an operation's multiplications to the total."""
        self._work += self._size(operation.name) * self._work_per_output(operation)
        if self._work > MAX_WORK:
            raise refusal(
                pl=f"Obliczenia w modelu aż do kroku {operation.name} są zbyt kosztowne.",
                en=f"The model's work up to {operation.name} is too much.",
            )

    def _size(self, name: str) -> int:
        return sum(tensor.numel() for tensor in _tensors(self.samples[name]))

    def _work_per_output(self, operation: Operation) -> float:
        name = packet(operation.op)
        kind = KINDS.get(name)
        samples = [self.samples[ref.name] for ref in operation.args[:3] if isinstance(ref, Ref)]
        shapes: list[tuple[int, ...]] = [tuple(item.shape) for item in samples if isinstance(item, Tensor)]
        if kind is StepKind.CONV and len(shapes) > 1:
            return math.prod(shapes[1]) / max(min(shapes[1][:2]), 1)
        if (kind is StepKind.LINEAR or name in PRODUCTS) and len(shapes) > 1:
            return float(max((shape[-1] for shape in shapes if shape), default=1))
        if kind in {StepKind.MAX_POOL, StepKind.AVG_POOL} and len(operation.args) > 1:
            kernel = operation.args[1]
            pixels: int = math.prod(kernel) if isinstance(kernel, tuple) else kernel * kernel
            return pixels
        return 1


@contextmanager
def _silent() -> Iterator[None]:
    """PyTorch logs the traceback of what fails on stand-ins; ours is the one sentence of the `EvidenceError`."""
    logger = logging.getLogger(fake_tensor.__name__)
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _fits(norm: _BatchNorm, maps: object) -> bool:
    """Whether a batch norm surely gives what is shaped as its input, for which PyTorch's fake tensors take 20 operations."""
    if not isinstance(maps, Tensor) or maps.numel() <= maps.shape[1]:
        return False
    vectors = [vector for vector in (norm.weight, norm.bias, norm.running_mean, norm.running_var) if vector is not None]
    return all(v.dtype is maps.dtype is torch.float32 and v.shape == maps.shape[1:2] for v in vectors)


def _tensors(value: object) -> list[Tensor]:
    """Return the tensors of an operation's result, one or several."""
    return [item for item in (value if isinstance(value, tuple | list) else (value,)) if isinstance(item, Tensor)]
