"""Counts gradient steps at the autograd engine, per set of parameters that a backward pass reaches.

`Tensor.backward`, `torch.autograd.grad`, `torch.func.grad`, checkpointing, compiled networks and libraries' trainers all
call one Python method, which is replaced here by one that counts. The counts are a claim of the student's process.
Tensors are held weakly: a network that the notebook drops is freed as without us, and only its shapes are remembered.

Also seen is a warm start: first values that are, bit for bit, the weights of another trained network. A tensor is
recognised by a sample of its elements, so that looking costs next to nothing beside a gradient step.
"""

import mmap
import os
import tempfile
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable

MAX_NODES = 20_000  # of a graph that are looked at, for each pass
MAX_GROUPS = 1_000  # distinct sets of parameters
MAX_MARKS = 10_000
COMPARED = 50  # sets of parameters, the latest, whose weights another set may begin from
NO_NAME = ""  # stands for the name of a network that is not one of `models`, or not yet
ENOUGH = 10  # passes whose gradients were not zero; after them nobody looks at values any more
INPUTS = 3  # position of `inputs` among what `run_backward` is given after the outputs
SAMPLE = 64  # elements
SMALLEST = 32  # elements of a tensor that is alike in two networks by no accident

Shapes = Counter[tuple[int, ...]]
Mark = tuple[tuple[int, ...], bytes]
Shares = dict[str, float]


def _mark(tensor: Tensor) -> Mark | None:
    """Return a tensor's fingerprint, or None if it is small or constant."""
    if tensor.numel() < SMALLEST:
        return None
    values = tensor.detach().flatten()
    sample = values[:: max(1, len(values) // SAMPLE)][:SAMPLE].cpu().contiguous()
    if bool((sample == sample[0]).all()):
        return None
    return tuple(tensor.shape), sample.numpy().tobytes()


def _marks(tensors: Iterable[Tensor]) -> frozenset[Mark]:
    return frozenset(mark for tensor in tensors if (mark := _mark(tensor)) is not None)


class _TrainedWeights:
    """The weights of trained networks, by the network's name."""

    def __init__(self) -> None:
        self._names: defaultdict[Mark, set[str]] = defaultdict(set)

    def keep(self, name: str, marks: Iterable[Mark]) -> None:
        """Remember these as weights of the network `name`."""
        for mark in marks:
            if len(self._names) < MAX_MARKS:
                self._names[mark].add(name)

    def shares(self, tensors: Iterable[Tensor]) -> Shares:
        """Return, by network, the fraction of these tensors' elements that are its weights."""
        total, found = 0, Counter[str]()
        for tensor in tensors:
            total += tensor.numel()
            mark = _mark(tensor)
            for name in self._names.get(mark, ()) if mark is not None else ():
                found[name] += tensor.numel()
        return {name: elements / total for name, elements in found.items()}


@dataclass
class _Group:
    """The backward passes that reached the same leaf tensors.

    `began` is the fraction, by network, that were another's weights at first; `taken` the fraction that a model of that
    name had when it was looked at, and after how many steps.
    """

    leaves: tuple["weakref.ref[Tensor]", ...]
    shapes: Shapes
    steps: int = 0
    first: frozenset[Mark] = frozenset()
    began: Shares = field(default_factory=dict)
    taken: dict[str, tuple[float, int]] = field(default_factory=dict)

    @property
    def living(self) -> list[Tensor]:
        """The leaves that still exist."""
        return [leaf for ref in self.leaves if (leaf := ref()) is not None]

    @property
    def alive(self) -> set[int]:
        """Their identities."""
        return set(map(id, self.living))

    def inherited(self, name: str) -> float:
        """Return the fraction of the leaves that were another network's than `name`, before steps that followed."""
        earlier = {other: share for other, (share, steps) in self.taken.items() if self.steps > steps}
        return max((share for other, share in (*self.began.items(), *earlier.items()) if other != name), default=0.0)


@dataclass(frozen=True)
class StepCounts:
    """The gradient steps seen for one model.

    Attributes:
        steps: backward passes with gradients other than zero that reached its parameters, or those it is a copy of.
        copied: whether none of them reached its own parameters, only others of the same shapes.
        reached: the fraction of its own parameter tensors that some pass reached.
        unclaimed: passes over parameters of a size like its own that are in no model: another process's are among them.
        inherited: the fraction of its weights that were another trained network's when its own training began.

    """

    steps: int
    copied: bool
    reached: float
    unclaimed: int
    inherited: float = 0.0


class StepCounter:
    """Counts the backward passes of this process, and of processes forked from it."""

    def __init__(self) -> None:
        self._groups: dict[frozenset[int], _Group] = {}
        self._gone: Counter[frozenset[tuple[tuple[int, ...], int]]] = Counter()
        self._process = os.getpid()
        self._origins = _TrainedWeights()
        with tempfile.TemporaryFile() as file:  # the sandbox refuses memory shared with forks that is in no file
            file.truncate(8)
            self._elsewhere = mmap.mmap(file.fileno(), 8)

    def note(self, leaves: Sequence[Tensor], gradients: Iterable[Tensor | None]) -> None:
        """Count a pass that reached these leaves and gave these gradients."""
        if os.getpid() != self._process:
            passes = int.from_bytes(self._elsewhere[:], "little") + 1
            self._elsewhere[:] = passes.to_bytes(8, "little")
            return
        if any(leaf.is_cuda for leaf in leaves) and torch.cuda.is_current_stream_capturing():
            return  # nothing is computed yet, and to look at a value would end the recording
        group = self._group(leaves)
        if group.steps >= ENOUGH or _any(gradients):
            group.steps += 1

    def seen(self, model: nn.Module, others: Iterable[nn.Module] = (), name: str = NO_NAME) -> StepCounts:
        """Return the steps counted for a model; those that reached the parameters of `others` belong to these.

        Under its name its weights are remembered: what another network began with may be them.
        """
        parameters = list(model.parameters())
        mine = {id(parameter) for parameter in parameters}
        theirs = {id(parameter) for other in others for parameter in other.parameters()} - mine
        shapes = _shapes(parameters)
        own = copied = unclaimed = 0
        inherited = inherited_by_copies = 0.0
        reached: set[int] = set()
        for group in self._groups.values():
            alive = group.alive if group.steps else set()
            if alive & mine:
                own += group.steps
                reached |= alive & mine
                inherited = max(inherited, group.inherited(name))
            elif not alive & theirs and _alike(group.shapes, shapes):
                copied += group.steps
                inherited_by_copies = max(inherited_by_copies, group.inherited(name))
            elif not alive & theirs:
                unclaimed += group.steps * _large(group.shapes, shapes)
        for items, steps in self._gone.items():
            alike = _alike(Counter(dict(items)), shapes)
            copied += steps * alike
            unclaimed += steps * (not alike and _large(Counter(dict(items)), shapes))
        unclaimed += int.from_bytes(self._elsewhere[:], "little")
        is_copy = bool(copied and not own)
        if name != NO_NAME:
            self._take(name, [parameter for parameter in parameters if id(parameter) in reached or is_copy])
        inherited = inherited if own else inherited_by_copies
        return StepCounts(own + copied, is_copy, len(reached) / max(1, len(mine)), unclaimed, inherited)

    def _take(self, name: str, trained: list[Tensor]) -> None:
        """Remember these weights under the model's name: another model's training may start from them."""
        with suppress(Exception):  # a tensor of a kind that has no values to look at
            self._origins.keep(name, _marks(trained))
            for group in self._groups.values():
                if group.steps and (share := self._origins.shares(group.living).get(name, 0.0)):
                    group.taken[name] = share, group.steps

    def _group(self, leaves: Sequence[Tensor]) -> _Group:
        key = frozenset(map(id, leaves))
        group = self._groups.get(key)
        if group is not None and len(group.alive) == len(key):
            return group
        if group is not None or len(self._groups) >= MAX_GROUPS:  # forget tensors, keep the number of steps by shapes
            old = self._groups.pop(key if group is not None else next(iter(self._groups)))
            shapes = frozenset(old.shapes.items())
            if shapes in self._gone or len(self._gone) < MAX_GROUPS:
                self._gone[shapes] += old.steps
        new = _Group(tuple(map(weakref.ref, leaves)), _shapes(leaves))
        with suppress(Exception):  # see above: a step is counted, whatever it was of
            new.first, new.began = _marks(leaves), self._shares(leaves)
        self._groups[key] = new
        return new

    def _shares(self, leaves: Sequence[Tensor]) -> Shares:
        """Return what fraction of these leaves is another network's that was trained: one of `models`, or untaken."""
        mine = set(map(id, leaves))
        untaken = _TrainedWeights()
        for group in islice(reversed(self._groups.values()), COMPARED):
            if group.steps:
                untaken.keep(NO_NAME, _marks(leaf for leaf in group.living if id(leaf) not in mine) - group.first)
        return untaken.shares(leaves) | self._origins.shares(leaves)


def _shapes(tensors: Iterable[Tensor]) -> Shapes:
    return Counter(tuple(tensor.shape) for tensor in tensors if not nn.parameter.is_lazy(tensor))


def _size(shapes: Shapes) -> int:
    return sum(prod(shape) * count for shape, count in shapes.items())


def _alike(reached: Shapes, model: Shapes) -> bool:
    """Whether a model may be a copy of what was reached: all of it or a part (frozen layers), or one flat vector of it."""
    part = reached <= model and any(len(shape) > 1 for shape in reached)
    return part or 2 * _size(reached & model) >= _size(model) > 0 or _size(reached) == _size(model) > 0


def _large(reached: Shapes, model: Shapes) -> bool:
    return 2 * _size(reached) >= _size(model)


def _any(gradients: Iterable[Tensor | None]) -> bool:
    """Whether a gradient has an element other than zero; those that were freed already count as such."""
    given = [gradient for gradient in gradients if gradient is not None]
    try:
        return not given or any(bool(gradient.any()) for gradient in given)
    except Exception:  # noqa: BLE001 - a tensor whose values cannot be read, such as one inside torch.vmap
        return True


def _leaves(outputs: Any, inputs: Any) -> list[Tensor]:
    """Return the leaf tensors that a pass from `outputs` reaches; `inputs`, where given, are all that it is for."""
    if inputs:
        given = inputs if isinstance(inputs, tuple | list) else (inputs,)
        return [_unwrapped(tensor) for tensor in given if isinstance(tensor, Tensor) and tensor.is_leaf]
    given = outputs if isinstance(outputs, tuple | list) else (outputs,)
    waiting: list[Any] = [each.grad_fn if isinstance(each, Tensor) else getattr(each, "node", None) for each in given]
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    while waiting and len(seen) < MAX_NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__ == "AccumulateGrad":
            found[id(node.variable)] = node.variable
        waiting += [following for following, _ in node.next_functions]
    return list(found.values())


def _unwrapped(tensor: Tensor) -> Tensor:
    """Take a tensor out of the wrappers of `torch.func`."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


class _CountingEngine(type(Variable._execution_engine)):  # type: ignore[misc]
    """The autograd engine, which counts each successful backward pass."""

    steps: StepCounter

    def run_backward(self, outputs: Any, *arguments: Any, **options: Any) -> Any:
        """Run the backward pass; an error in counting must not affect it."""
        given = options.get("inputs", arguments[INPUTS] if len(arguments) > INPUTS else ())
        leaves: list[Tensor] = []
        with suppress(Exception):
            leaves = _leaves(outputs, given)
        gradients = super().run_backward(outputs, *arguments, **options)
        if leaves:
            with suppress(Exception):
                returned = options.get("accumulate_grad") is False
                self.steps.note(leaves, gradients if returned else (leaf.grad for leaf in leaves))
        return gradients


def count_steps() -> StepCounter:
    """Start counting gradient steps in this process, from zero."""
    engine = _CountingEngine()
    engine.steps = StepCounter()
    Variable._execution_engine = engine  # where torch.autograd itself looks it up
    return engine.steps


def step_counter() -> StepCounter | None:
    """Return this process's step counts, or None if they are not counted."""
    return getattr(Variable._execution_engine, "steps", None)
