"""The rebuilt model: a program of steps over real layers, run in batches of the size it was exported with."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from autograder.engine.errors import EvidenceError, out_of_memory
from autograder.engine.text import say
from autograder.models import refusal

from .operations import StepKind
from .schema import ALLOWED_CONSTANTS, Graph, Operation, Ref


@dataclass(frozen=True)
class Step(Operation):
    """One operation that the output depends on, and the layer or function that computes it from its arguments.

    `op` is its ATen name; of a layer `args` holds the value that it is applied to. `inputs` name the steps (or the
    model's input) whose values it reads; weights are left out. `output_shape` has the fixed batch first; it is empty
    where the operation returns several tensors.
    """

    kind: StepKind = StepKind.OTHER
    function: Callable[..., Any] = field(kw_only=True)
    inputs: tuple[str, ...] = ()
    output_shape: tuple[int, ...] = ()

    @property
    def layer(self) -> nn.Module | None:
        """The real layer that computes it, None where a plain function does."""
        return self.function if isinstance(self.function, nn.Module) else None

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Compute from earlier values; raises `EvidenceError` when it fails or its result is not as declared."""
        casting = nullcontext() if self.autocast is None else torch.autocast("cpu", self.autocast)
        try:
            with casting:
                args = [_resolve(argument, values) for argument in self.args]
                kwargs = {key: _resolve(argument, values) for key, argument in self.kwargs.items()}
                result = self.function(*args, **kwargs)
        except (EvidenceError, MemoryError):
            raise
        except Exception as error:
            what = say(pl=f"{self.name} ({self.op}) kończy się błędem", en=f"{self.name} ({self.op}) fails")
            raise _refused(what, error) from error
        self._check(result)
        return result

    def _check(self, result: object) -> None:
        if not isinstance(result, Tensor | tuple | list):
            raise refusal(
                pl=f"{self.name} ({self.op}) nie daje tensora.",
                en=f"{self.name} ({self.op}) gives no tensor.",
            )
        if not isinstance(result, Tensor):
            return
        if self.shape is not None and tuple(result.shape) != self.shape:
            raise refusal(
                pl=f"{self.name} ({self.op}) daje kształt {tuple(result.shape)}, a według grafu {self.shape}.",
                en=f"{self.name} ({self.op}) gives {tuple(result.shape)} where the graph says {self.shape}.",
            )
        if self.dtype is not None and result.dtype != self.dtype:
            raise refusal(
                pl=f"{self.name} ({self.op}) daje {result.dtype}, a według grafu {self.dtype}.",
                en=f"{self.name} ({self.op}) gives {result.dtype} where the graph says {self.dtype}.",
            )


Compute = Callable[[Step, Mapping[str, Any]], Any]
"""A function that computes a step's value from the step and the earlier values by name."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn any exception that untrusted arguments cause in PyTorch into an `EvidenceError` of one sentence.

    Running out of memory stays a `MemoryError`.
    """
    try:
        yield
    except (EvidenceError, MemoryError):
        raise
    except Exception as error:
        raise _refused(what, error) from error


def _refused(what: str, error: Exception) -> Exception:
    """Return what is raised in the place of an error of PyTorch's."""
    if out_of_memory(error):
        return MemoryError(what)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return EvidenceError(f"{what}: {lines[0][:300]}")


def _resolve(argument: Any, values: Mapping[str, Any]) -> Any:
    """Put earlier values in the place of references."""
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, tuple):
        return [_resolve(item, values) for item in argument]
    return argument


def last_uses(steps: Sequence[Step]) -> tuple[tuple[str, ...], ...]:
    """Return for each step the names of values that nothing reads after it, so that they can be freed."""
    last: dict[str, int] = {}
    for position, step in enumerate(steps):
        last[step.name] = position
        last.update((name, position) for name in step.references if name in last)
    spent: list[list[str]] = [[] for _ in steps]
    for name, position in last.items():
        spent[position].append(name)
    return tuple(tuple(name for name in done if name != steps[-1].name) for done in spent)


class RebuiltModel(nn.Module):
    """A student's model, rebuilt of real layers; takes exactly `input_shape` and returns its scores.

    The mode is the graph's: `train()` and `eval()` change nothing. Raises `EvidenceError` when a step fails or gives
    another shape or dtype than the graph declares, `MemoryError` when there is not enough memory.

    Attributes:
        input: the input's name in the graph.
        input_shape: (B, C, H, W), with the batch the model was exported with.
        input_dtype: the dtype of the images the student's data set gives.
        batch_size: B, fixed.
        parameters_declared: how many numbers the student's model declares as parameters, used or not.
        steps: the steps, in the order in which they run.
        output: the name of the step whose value is the output.
        around: makes a context that surrounds every run.

    """

    run_context: Callable[[], AbstractContextManager[None]] = nullcontext

    def __init__(
        self, graph: Graph, steps: Sequence[Step], output: str, weights: Mapping[str, Tensor], *, changes_input: bool
    ) -> None:
        super().__init__()
        self.input = graph.input.name
        self.input_shape = graph.input.shape
        self.input_dtype: torch.dtype = ALLOWED_CONSTANTS[f"torch.{graph.input.dtype}"]
        self.batch_size = self.input_shape[0]
        self.parameters_declared = graph.declared
        self.steps = tuple(steps)
        self.output = output
        self._changes_input = changes_input
        self._spent = last_uses(self.steps)
        self._weights: dict[str, str] = {}
        for position, (name, tensor) in enumerate(weights.items()):
            own = self._weights[name] = f"weight_{position}"
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(own, tensor)
            else:
                self.register_buffer(own, tensor)
        # Layers have names of ours (`conv_1`), never the graph's; a shared one has a single name.
        counts, seen = Counter[StepKind](), set[nn.Module]()
        for step in self.steps:
            if step.layer is not None and step.layer not in seen:
                seen.add(step.layer)
                counts[step.kind] += 1
                self.add_module(f"{step.kind}_{counts[step.kind]}", step.layer)

    @property
    def weight_bytes(self) -> int:
        """How much memory its weights take, the constants that its graph makes included; what is shared counts once."""
        storages = (tensor.untyped_storage() for tensor in (*self.parameters(), *self.buffers()))
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    def train(self, mode: bool = True) -> Self:
        """Change nothing: each layer keeps the mode in which the graph was taken."""
        del mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Compute the scores of one batch of exactly `input_shape`, of any dtype."""
        return self.run(images, lambda step, values: step(values))

    def run(self, images: Tensor, compute: Compute) -> Tensor:
        """Compute the scores as `forward` does, each step's value by `compute(step, values)`.

        `values` holds the values that are still read, by name; `step(values)` is what the step itself gives.
        """
        with self.run_context():
            if tuple(images.shape) != self.input_shape:
                raise refusal(
                    pl=f"Model przyjmuje {self.input_shape}, a nie {tuple(images.shape)}.",
                    en=f"The model takes {self.input_shape}, not {tuple(images.shape)}.",
                )
            images = images.to(self.input_dtype)
            values: dict[str, Any] = {name: getattr(self, own) for name, own in self._weights.items()}
            values[self.input] = images.clone() if self._changes_input else images
            for step, spent in zip(self.steps, self._spent, strict=True):
                values[step.name] = compute(step, values)
                for name in spent:
                    del values[name]
            scores = values[self.output]
            if not isinstance(scores, Tensor):
                raise refusal(pl="Wynik modelu nie jest jednym tensorem.", en="The model's output is not one tensor.")
            return scores

    def values(self, images: Tensor, *steps: str) -> tuple[Tensor, ...]:
        """Compute what some steps give for one batch, on the way to its scores; each is a copy."""
        kept: dict[str, Tensor] = {}

        def compute(step: Step, values: Mapping[str, Any]) -> Any:
            result = step(values)
            if step.name in steps:
                kept[step.name] = result.clone()
            return result

        self.run(images, compute)
        return tuple(kept[name] for name in steps)
