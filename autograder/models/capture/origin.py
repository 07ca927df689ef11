"""Where a network's first values came from: of a warm start its weights are, bit for bit, those of another trained one.

A tensor is known again by a sample of its elements, so that looking costs next to nothing beside a gradient step.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from torch import Tensor

SAMPLE = 64  # elements
SMALLEST = 32  # elements of a tensor that is alike in two networks by no accident
MAX_MARKS = 10_000

Mark = tuple[tuple[int, ...], bytes]
Shares = dict[str, float]


def mark(tensor: Tensor) -> Mark | None:
    """Return what a tensor is known by, or None where it is small or holds one value only."""
    if tensor.numel() < SMALLEST:
        return None
    values = tensor.detach().flatten()
    sample = values[:: max(1, len(values) // SAMPLE)][:SAMPLE].cpu().contiguous()
    if bool((sample == sample[0]).all()):
        return None
    return tuple(tensor.shape), sample.numpy().tobytes()


def marks(tensors: Iterable[Tensor]) -> frozenset[Mark]:
    """Return the marks of those tensors that have one."""
    return frozenset(known for tensor in tensors if (known := mark(tensor)) is not None)


class Origins:
    """The weights of trained networks, by the network's name."""

    def __init__(self) -> None:
        self._names: defaultdict[Mark, set[str]] = defaultdict(set)

    def keep(self, name: str, known: Iterable[Mark]) -> None:
        """Remember these as weights of the network `name`."""
        for each in known:
            if len(self._names) < MAX_MARKS:
                self._names[each].add(name)

    def shares(self, tensors: Iterable[Tensor]) -> Shares:
        """Return what fraction of these tensors' elements is which network's."""
        total, found = 0, Counter[str]()
        for tensor in tensors:
            total += tensor.numel()
            known = mark(tensor)
            for name in self._names.get(known, ()) if known is not None else ():
                found[name] += tensor.numel()
        return {name: elements / total for name, elements in found.items()}
