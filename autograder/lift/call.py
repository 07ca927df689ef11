"""How one step of a lifted model is computed, and how its failure is told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.errors import EvidenceError
from autograder.language import say

from .graph import Ref, names
from .steps import StepKind

ALLOCATION = ("can't allocate memory", "not enough memory", "bad_alloc")  # in PyTorch's own exceptions


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


def out_of_memory(error: Exception) -> bool:
    """Whether an exception, PyTorch's own included, says that memory ran out."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in ALLOCATION)


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
