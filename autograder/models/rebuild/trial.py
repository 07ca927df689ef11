"""Each call is first tried on stand-ins without memory: shapes and dtypes must be as declared, sizes within bounds."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from autograder.engine.errors import EvidenceError
from autograder.engine.text import say

from .module import Call, last_uses
from .operations import KINDS, packet
from .schema import MAX_ELEMENTS, Operation, Ref
from .steps import StepKind

MAX_LIVE = 2**29  # elements that the values of one batch hold at one time
MAX_TOTAL = 2**35  # elements that are computed for one batch
MAX_WORK = 2**42  # multiplications of one batch, roughly
PRODUCTS = {"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"}


def stand_ins() -> FakeTensorMode:
    """PyTorch's own fake tensors; an operation they do not know is refused, not run."""
    return FakeTensorMode(allow_fallback_kernels=False, allow_non_fake_inputs=True)


@dataclass
class Trial:
    """The stand-ins of all values so far, and what running them for real will cost."""

    fake: FakeTensorMode = field(default_factory=stand_ins)
    samples: dict[str, Any] = field(default_factory=dict)
    elements: int = 0
    work: float = 0

    def begin(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Note the stand-in of the model's input."""
        with self.fake:
            self.samples[name] = torch.empty(shape, dtype=dtype)
        images: Tensor = self.samples[name]
        return images

    def constant(self, name: str, tensor: Tensor) -> Tensor:
        """Note the stand-in of a weight."""
        self.samples[name] = self.fake.from_tensor(tensor)
        sample: Tensor = self.samples[name]
        return sample

    def run(self, call: Call) -> Any:
        """Try a call and note its result; raises `EvidenceError` when it fails or costs too much."""
        with _silent(), self.fake:
            result = call(self.samples)
        self.samples[call.name] = result
        for tensor in _tensors(result):
            self.elements += tensor.numel()
            if tensor.numel() > MAX_ELEMENTS or self.elements > MAX_TOTAL:
                raise EvidenceError(
                    say(
                        pl=f"Wartości obliczane w modelu aż do kroku {call.name} zajmują za dużo pamięci.",
                        en=f"The model's values up to {call.name} take too much memory.",
                    )
                )
        return result

    def check_memory(self, calls: Sequence[Call]) -> None:
        """Refuse a model whose values, each let go after its last use, together take too much memory."""
        live = 0
        for call, spent in zip(calls, last_uses(calls), strict=True):
            live += self._size(call.name)
            if live > MAX_LIVE:
                raise EvidenceError(
                    say(
                        pl=f"Wartości trzymane w modelu przy kroku {call.name} zajmują razem za dużo pamięci.",
                        en=f"The model's values at {call.name} take too much memory together.",
                    )
                )
            live -= sum(self._size(name) for name in spent)

    def _size(self, name: str) -> int:
        return sum(tensor.numel() for tensor in _tensors(self.samples[name]))

    def charge(self, operation: Operation) -> None:
        """Count the multiplications of an operation that was tried."""
        self.work += self._size(operation.name) * self._work_an_output(operation)
        if self.work > MAX_WORK:
            raise EvidenceError(
                say(
                    pl=f"Obliczenia w modelu aż do kroku {operation.name} są zbyt kosztowne.",
                    en=f"The model's work up to {operation.name} is too much.",
                )
            )

    def _work_an_output(self, operation: Operation) -> float:
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


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
