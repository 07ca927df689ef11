"""The lifted model: a program of steps over real layers, run in batches of the size it was exported with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from autograder.engine.errors import EvidenceError, out_of_memory
from autograder.engine.text import say

from .schema import Ref, names
from .steps import Step, StepKind


@dataclass(frozen=True)
class Call:
    """How one step is computed: a layer or a function, and its arguments with references in them."""

    name: str
    op: str
    kind: StepKind
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...] | None
    dtype: torch.dtype | None
    autocast: torch.dtype | None

    @property
    def references(self) -> tuple[str, ...]:
        """The names it reads, in order."""
        return tuple(names((self.args, tuple(self.kwargs.values()))))

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Compute from earlier values; raises `EvidenceError` when it fails or its result is not as declared."""
        what = say(pl=f"{self.name} ({self.op}) kończy się błędem", en=f"{self.name} ({self.op}) fails")
        with refusing(what), self._casting():
            args = [resolve(argument, values) for argument in self.args]
            kwargs = {key: resolve(argument, values) for key, argument in self.kwargs.items()}
            result = self.function(*args, **kwargs)
        self._check(result)
        return result

    def _casting(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.autocast is None else torch.autocast("cpu", self.autocast)

    def _check(self, result: object) -> None:
        if not isinstance(result, Tensor | tuple | list):
            raise EvidenceError(
                say(pl=f"{self.name} ({self.op}) nie daje tensora.", en=f"{self.name} ({self.op}) gives no tensor.")
            )
        if not isinstance(result, Tensor):
            return
        if self.shape is not None and tuple(result.shape) != self.shape:
            raise EvidenceError(
                say(
                    pl=f"{self.name} ({self.op}) daje kształt {tuple(result.shape)}, a według grafu {self.shape}.",
                    en=f"{self.name} ({self.op}) gives {tuple(result.shape)} where the graph says {self.shape}.",
                )
            )
        if self.dtype is not None and result.dtype != self.dtype:
            raise EvidenceError(
                say(
                    pl=f"{self.name} ({self.op}) daje {result.dtype}, a według grafu {self.dtype}.",
                    en=f"{self.name} ({self.op}) gives {result.dtype} where the graph says {self.dtype}.",
                )
            )


Compute = Callable[[Call, Mapping[str, Any]], Any]
"""What gives a step's value, from the call that computes it and the earlier values by name."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever a stranger's arguments make PyTorch raise into an `EvidenceError` of one sentence.

    That memory ran out stays a `MemoryError`.
    """
    try:
        yield
    except (EvidenceError, MemoryError):
        raise
    except Exception as error:
        if out_of_memory(error):
            raise MemoryError(what) from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EvidenceError(f"{what}: {lines[0][:300]}") from error


def resolve(argument: Any, values: Mapping[str, Any]) -> Any:
    """Put earlier values in the place of references."""
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, tuple):
        return [resolve(item, values) for item in argument]
    return argument


def last_uses(calls: Sequence[Call]) -> tuple[tuple[str, ...], ...]:
    """For each call, the earlier calls' values that nothing reads after it: they may go. The last one's is the output."""
    last: dict[str, int] = {}
    for position, call in enumerate(calls):
        last[call.name] = position
        for name in call.references:
            if name in last:
                last[name] = position
    spent: list[list[str]] = [[] for _ in calls]
    for name, position in last.items():
        spent[position].append(name)
    return tuple(tuple(name for name in done if name != calls[-1].name) for done in spent)


@dataclass(frozen=True)
class Signature:
    """What goes in and comes out: names in the graph, shape with the fixed batch, dtype; parameters declared."""

    input: str
    input_shape: tuple[int, ...]
    input_dtype: torch.dtype
    output: str
    parameters_declared: int
    changes_input: bool


class LiftedModel(nn.Module):
    """A student's model, rebuilt of real layers; takes exactly `input_shape` and returns its scores.

    The mode is the graph's: `train()` and `eval()` change nothing. Raises `EvidenceError` when a step fails or gives
    another shape or dtype than the graph declares, `MemoryError` when there is not enough memory. `around` makes a
    context that surrounds every run.
    """

    around: Callable[[], AbstractContextManager[None]] = nullcontext

    def __init__(
        self, signature: Signature, calls: tuple[Call, ...], steps: tuple[Step, ...], weights: Mapping[str, Tensor]
    ) -> None:  # fmt: skip
        super().__init__()
        self.signature = signature
        self.steps = steps
        self._calls = calls
        self._weights = self._register_weights(weights)
        self._register_layers()
        self._spent = last_uses(calls)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(B, C, H, W), with the batch the model was exported with."""
        return self.signature.input_shape

    @property
    def input_dtype(self) -> torch.dtype:
        """The dtype of the images the student's data set gives."""
        return self.signature.input_dtype

    @property
    def batch_size(self) -> int:
        """B, fixed."""
        return self.input_shape[0]

    @property
    def parameters_declared(self) -> int:
        """How many numbers the student's model declares as parameters, used or not."""
        return self.signature.parameters_declared

    @property
    def weight_bytes(self) -> int:
        """How much memory its weights take, the constants that its graph makes included; what is shared counts once."""
        storages = (tensor.untyped_storage() for tensor in (*self.parameters(), *self.buffers()))
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    @property
    def output(self) -> str:
        """The name of the step whose value is the output."""
        return self.signature.output

    def train(self, mode: bool = True) -> Self:
        """Change nothing: each layer keeps the mode in which the graph was taken."""
        del mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Compute the scores of one batch of exactly `input_shape`, of any dtype."""
        return self.run(images, lambda call, values: call(values))

    def run(self, images: Tensor, compute: Compute) -> Tensor:
        """Compute the scores as `forward` does, each step's value by `compute(call, values)`.

        `values` holds the values that are still read, by name; `call(values)` is what the step itself gives.
        """
        with self.around():
            return self._scores(images, compute)

    def _scores(self, images: Tensor, compute: Compute) -> Tensor:
        if tuple(images.shape) != self.input_shape:
            raise EvidenceError(
                say(
                    pl=f"Model przyjmuje {self.input_shape}, a nie {tuple(images.shape)}.",
                    en=f"The model takes {self.input_shape}, not {tuple(images.shape)}.",
                )
            )
        images = images.to(self.input_dtype)
        values: dict[str, Any] = {name: getattr(self, own) for name, own in self._weights.items()}
        values[self.signature.input] = images.clone() if self.signature.changes_input else images
        for call, spent in zip(self._calls, self._spent, strict=True):
            values[call.name] = compute(call, values)
            for name in spent:
                del values[name]
        scores = values[self.output]
        if not isinstance(scores, Tensor):
            raise EvidenceError(
                say(pl="Wynik modelu nie jest jednym tensorem.", en="The model's output is not one tensor.")
            )
        return scores

    def values(self, images: Tensor, *steps: str) -> tuple[Tensor, ...]:
        """Compute what some steps give for one batch, on the way to its scores; each is a copy."""
        kept: dict[str, Tensor] = {}

        def compute(call: Call, values: Mapping[str, Any]) -> Any:
            result = call(values)
            if call.name in steps:
                kept[call.name] = result.clone()
            return result

        self.run(images, compute)
        return tuple(kept[name] for name in steps)

    def _register_weights(self, weights: Mapping[str, Tensor]) -> dict[str, str]:
        own = {}
        for position, (name, tensor) in enumerate(weights.items()):
            own[name] = f"weight_{position}"
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(own[name], tensor)
            else:
                self.register_buffer(own[name], tensor)
        return own

    def _register_layers(self) -> None:
        """Give each layer a name of ours (`conv_1`), never the graph's; a shared one has a single name."""
        counts: dict[StepKind, int] = {}
        seen: set[int] = set()
        for step in self.steps:
            if step.layer is not None and id(step.layer) not in seen:
                seen.add(id(step.layer))
                counts[step.kind] = counts.get(step.kind, 0) + 1
                self.add_module(f"{step.kind}_{counts[step.kind]}", step.layer)


def predict(lifted: LiftedModel, images: Tensor) -> Tensor:
    """Return the scores (N, classes) of images (N, C, H, W), in batches of the model's own size.

    The last batch is filled up with the first images, again and again, and what they add is cut off.
    Raises `EvidenceError` like the model does, also when it does not give one row an image.
    """
    size, count = lifted.batch_size, len(images)
    positions = torch.arange(-(-count // size) * size).reshape(-1, size) % max(count, 1)
    scores = []
    with torch.inference_mode():
        for batch in positions:
            rows = lifted(images[batch])
            if rows.dim() != 2 or len(rows) != size:
                raise EvidenceError(
                    say(
                        pl=f"Model daje {tuple(rows.shape)}, a nie po jednym wierszu wyników na obraz.",
                        en=f"The model gives {tuple(rows.shape)}, not one row of scores an image.",
                    )
                )
            scores.append(rows)
    return torch.cat(scores)[:count] if scores else torch.empty(0, 0)
