"""Builds a `RebuiltModel` from a graph and the arrays of its weights.

Every operation must be in the closed list and is tried on fake tensors before it is built; what depends on
no image is computed once. Operations that the output does not depend on are dropped.

In the graphs of `torch.export` `relu_(x)` changes `x`. Where no other name for that memory is read later, the operation
is rewritten to its twin that returns a new tensor, and later readers of `x` read that: the data flow becomes visible
and recorded feature maps stay as they were. Elsewhere it stays in place, as in `x[:, 0] = 0`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.engine.text import say
from autograder.models import MAX_WEIGHT_BYTES, refusal, too_heavy

from .layers import PLAIN, WEIGHTED, FoundLayer, NotALayerError, Operand
from .module import RebuiltModel, Step, refusing
from .operations import KINDS, StepKind, functions, in_place, packet, returns_alias
from .pooling import POOLING
from .schema import Graph, InputEntry, Operation, Ref, read_graph, read_weights
from .trial import Trial

NOISE = {"rand_like", "randn_like", "bernoulli", "dropout", "native_dropout"}
LAYERS: dict[str, Callable[..., FoundLayer]] = {**PLAIN, **WEIGHTED, **POOLING}


def prepare_rebuilding() -> None:
    """Do what only the first rebuild of a process does: PyTorch's fake tensors import its compiler, over a second.

    No tensor is computed, so that the process has one thread and can be forked.
    """
    functions()
    Trial(InputEntry("image", (1,), "float32"))


def rebuild_model(folder: Path, *, train: bool = False) -> RebuiltModel:
    """Rebuild the model written in `folder` from `graph.json` (or `train.json`) and `weights.npz`.

    The result holds real layers of `torch.nn`; only operations of a closed list are taken, nothing is evaluated or
    unpickled, sizes are checked before memory is taken. Raises `EvidenceError`, one sentence, for anything else.
    """
    name = "train.json" if train else "graph.json"
    graph = read_graph(folder, name)
    arrays = read_weights(folder, graph.weights)
    with refusing(say(pl=f"nie da się odtworzyć {name}", en=f"{name} cannot be rebuilt")), torch.no_grad():
        flow = trace_flow(graph)
        if changed := flow.changed & {weight.name for weight in graph.weights}:
            raise refusal(
                pl=f"Model zmienia swoją wagę {min(changed)} w trakcie działania.",
                en=f"The model changes its own weight {min(changed)} when it runs.",
            )
        return Builder(graph, flow, arrays).build()


@dataclass(frozen=True)
class DataFlow:
    """The live operations in order, the output's name, and the memory (by its first name) changed in place.

    `roots` gives the first name of the memory that each value shows.
    """

    operations: tuple[Operation, ...]
    output: str
    changed: frozenset[str]
    roots: dict[str, str]


class Builder:
    """Builds one model of a graph and the arrays of its weights by key."""

    def __init__(self, graph: Graph, flow: DataFlow, arrays: dict[str, Tensor]) -> None:
        self._graph = graph
        self._flow = flow
        self._operations = {operation.name: operation for operation in flow.operations}
        self._trial = Trial(graph.input)
        self._weights: dict[str, Tensor] = {}  # what no image changes, by name
        self._steps: dict[str, Step] = {}
        self._layered: set[str] = set()  # operations that return several tensors, computed by a layer that returns one
        self._shared: dict[object, nn.Module] = {}
        self._folded = 0
        parameters: dict[str, nn.Parameter] = {}
        for weight in graph.weights:
            tensor = arrays[weight.key]
            if weight.kind == "parameter" and tensor.is_floating_point():  # one that is named twice stays one
                tensor = parameters.setdefault(weight.key, nn.Parameter(tensor))
            self._trial.add_weight(weight.name, tensor)
            self._weights[weight.name] = tensor

    def build(self) -> RebuiltModel:
        """Build the model from the live operations, then drop steps that the output does not need."""
        output, samples = self._flow.output, self._trial.samples
        for operation in self._flow.operations:
            what = f"{operation.name} ({operation.op[:80]})"
            with refusing(say(pl=f"nie da się odtworzyć {what}", en=f"{what} cannot be rebuilt")):
                self._add(operation)
        if output not in self._steps:
            raise refusal(
                pl="Wynik modelu nie jest obliczany na podstawie obrazów.",
                en="The model's output is not computed from its images.",
            )
        needed, steps = {output}, list[Step]()
        for step in reversed(self._steps.values()):  # building layers may have left an operation without a reader
            if step.name in needed or in_place(step.op):
                needed.update(step.references)
                computed = dict.fromkeys(name for name in step.references if name not in self._weights)
                shape = tuple(samples[step.name].shape) if isinstance(samples[step.name], Tensor) else ()
                steps.append(replace(step, inputs=tuple(computed), output_shape=shape))
        steps.reverse()
        self._trial.check_memory(steps)
        read = (name for step in steps for name in step.references)
        weights = {name: self._weights[name] for name in read if name in self._weights}
        changes_input = self._graph.input.name in self._flow.changed
        return RebuiltModel(self._graph, steps, output, weights, changes_input=changes_input)

    def _add(self, operation: Operation) -> None:
        if operation.op not in functions():
            raise refusal(
                pl=f"{operation.name}: {operation.op[:80]!r} nie jest operacją znaną programowi oceniającemu.",
                en=f"{operation.name}: {operation.op[:80]!r} is not an operation the judge knows.",
            )
        if operation.op == "getitem" and operation.target in self._layered:
            self._rename(operation, operation.target)
            return
        if self._is_constant(operation):
            self._fold(operation)
        elif not self._add_layer(operation):
            name = packet(operation.op)
            kind = _mask_kind(operation) if name == "bernoulli" else KINDS.get(name, StepKind.OTHER)
            self._append(operation, kind, functions()[operation.op])
        self._trial.count_work(operation)

    def _append(self, operation: Operation, kind: StepKind, function: Callable[..., Any]) -> None:
        step = Step(**vars(operation), kind=kind, function=function)
        self._trial.run(step)
        self._steps[step.name] = step

    def _rename(self, operation: Operation, target: str) -> None:
        """Give the layer's value the name of the first of the several tensors that the operation returned."""
        if operation.args[1:] != (0,):
            raise refusal(
                pl=f"{operation.name} korzysta z innego wyniku operacji {target} niż pierwszy.",
                en=f"{operation.name} reads another result of {target} than its first.",
            )
        self._layered.remove(target)
        step = replace(self._steps.pop(target), name=operation.name, shape=operation.shape, dtype=operation.dtype)
        self._trial.run(step)
        self._steps[step.name] = step

    def _is_constant(self, operation: Operation) -> bool:
        """Whether an operation depends on weights alone, is not random, and its memory is not changed later."""
        still = self._flow.roots[operation.name] not in self._flow.changed and not in_place(operation.op)
        drawn = packet(operation.op) in NOISE or operation.shape is None
        return still and not drawn and all(name in self._weights for name in operation.references)

    def _fold(self, operation: Operation) -> None:
        """Compute once what no image changes: a weight cast, turned or normalised stays a weight."""
        step = Step(**vars(operation), function=functions()[operation.op])
        self._folded += self._trial.run(step).nbytes
        if self._folded > MAX_WEIGHT_BYTES:
            raise too_heavy(operation.name)
        values = {name: self._weights[name] for name in operation.references}
        result: Tensor = step(values)
        sources = [value for value in values.values() if isinstance(value, nn.Parameter)]
        if len(sources) == 1 and sources[0].numel() == result.numel() and result.is_floating_point():
            result = nn.Parameter(result.detach())
        self._weights[operation.name] = result

    def _add_layer(self, operation: Operation) -> bool:
        """Add the layer that computes an operation; say whether there is one."""
        if operation.op not in LAYERS:
            return False
        try:
            args = [self._argument(argument) for argument in operation.args]
            kwargs = {key: self._argument(argument) for key, argument in operation.kwargs.items()}
            found = LAYERS[operation.op](*args, **kwargs)
        except NotALayerError:
            return False
        applied = replace(operation, args=(Ref(found.source.name),), kwargs={})
        kind, layer = found.kind, self._interned(found.module)
        if found.flattens:
            inner = replace(applied, name=f"{operation.name}.{kind}", shape=None, dtype=None)
            self._append(inner, kind, layer)
            applied = replace(applied, args=(Ref(inner.name),))
            kind, layer = StepKind.FLATTEN, nn.Flatten()
        self._append(applied, kind, layer)
        if operation.shape is None:
            self._layered.add(operation.name)
        return True

    def _argument(self, argument: Any) -> Any:
        """Return a tensor argument as an operand, anything else as it is."""
        operand = self._operand(argument.name) if isinstance(argument, Ref) else argument
        if isinstance(argument, Ref) and operand is None:
            raise NotALayerError
        return operand

    def _operand(self, name: str, *, with_first: bool = True) -> Operand | None:
        """Return what is known of a value; None where it is several tensors."""
        sample, operation = self._trial.samples[name], self._operations.get(name)
        if not isinstance(sample, Tensor):
            return None
        target = operation.target if operation and with_first else None
        first = self._operand(target, with_first=False) if target else None
        return Operand(name, sample, self._weights.get(name), operation, first)

    def _interned(self, layer: nn.Module) -> nn.Module:
        """Return the existing layer with the same weights and settings, if any, else this one."""
        tensors = (*layer.parameters(), *layer.buffers())
        weights = tuple((tensor.data_ptr(), tensor.shape, tensor.dtype) for tensor in tensors)
        if not weights:
            return layer
        return self._shared.setdefault((type(layer), layer.extra_repr(), layer.training, weights), layer)


def _mask_kind(operation: Operation) -> StepKind:
    """Below autograd dropout is multiplication by a random mask: one number per image's map, or one per pixel."""
    shape = operation.shape or ()
    return StepKind.DROPOUT2D if len(shape) == 4 and shape[2:] == (1, 1) else StepKind.DROPOUT


def trace_flow(graph: Graph) -> DataFlow:
    """Resolve operations in place, and leave out what the output does not depend on."""
    given = [graph.input.name, *(weight.name for weight in graph.weights)]
    memory = _Memory(given)
    operations = [memory.follow(operation) for operation in graph.operations]
    output = memory.resolve(graph.output)
    kept = _read_through_other_names(given, operations, output, memory.roots)
    resolved = []
    for operation in operations:
        namespace, name, overload = operation.op.split(".", 2) if in_place(operation.op) else ("", "", "")
        twin = f"{namespace}.{name.rstrip('_')}.{overload}"
        rewritten = twin in functions() and operation.name not in kept
        resolved.append(replace(operation, op=twin) if rewritten else operation)
    changed = frozenset(memory.roots[operation.name] for operation in resolved if in_place(operation.op))
    return DataFlow(_live(resolved, output, memory.roots), output, changed, memory.roots)


class _Memory:
    """Which names share memory (`roots`), and what an in-place operation renamed."""

    def __init__(self, names: list[str]) -> None:
        self.roots = {name: name for name in names}
        self._renamed: dict[str, str] = {}

    def follow(self, operation: Operation) -> Operation:
        """Return the operation with renamed arguments, and note whose memory its result shows."""
        args = self._rename(operation.args)
        kwargs = {key: self._rename(value) for key, value in operation.kwargs.items()}
        operation = replace(operation, args=args, kwargs=kwargs)
        target = operation.target
        shares = target is not None and (in_place(operation.op) or returns_alias(operation.op))
        self.roots[operation.name] = self.roots[target] if target is not None and shares else operation.name
        if target is not None and in_place(operation.op):
            self._renamed[target] = operation.name
        return operation

    def resolve(self, name: str) -> str:
        """Return the name that now stands for a value; the way there is remembered, however long."""
        passed = []
        while name in self._renamed:
            passed.append(name)
            name = self._renamed[name]
        self._renamed.update(dict.fromkeys(passed, name))
        return name

    def _rename(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return Ref(self.resolve(value.name))
        return tuple(self._rename(item) for item in value) if isinstance(value, tuple) else value


def _read_through_other_names(
    given: list[str], operations: list[Operation], output: str, roots: dict[str, str]
) -> set[str]:
    """Return the operations in place whose memory is read later under a name that is older than they are, not renamed."""
    last = {name: position for position, operation in enumerate(operations) for name in operation.references}
    last[output] = len(operations)
    latest = {name: [(last.get(name, -1), name)] for name in given}
    found = set()
    for position, operation in enumerate(operations):
        readers = latest.setdefault(roots[operation.name], [])
        if in_place(operation.op) and any(use > position and name != operation.target for use, name in readers):
            found.add(operation.name)
        # The two latest uses are enough: one of them may be the operation's own target.
        readers[:] = sorted([*readers, (last.get(operation.name, -1), operation.name)])[-2:]
    return found


def _live(operations: list[Operation], output: str, roots: dict[str, str]) -> tuple[Operation, ...]:
    """Walk back from the output; a change in place counts for every later reader of that memory."""
    live, read = {output}, {roots[output]}
    kept = []
    for operation in reversed(operations):
        if operation.name in live or (in_place(operation.op) and roots[operation.name] in read):
            kept.append(operation)
            live |= set(operation.references)
            read |= {roots[name] for name in operation.references}
    return tuple(reversed(kept))
