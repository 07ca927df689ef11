"""From a graph and arrays to a lifted model.

Every operation is looked up in our lists and tried on stand-ins that hold no memory before it is built; what depends on
no image is computed once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.engine.errors import EvidenceError
from autograder.engine.text import say
from autograder.models import MAX_WEIGHT_BYTES, too_heavy

from .flow import Flow, in_place, trace_flow
from .layers import ACTIVATIONS, NORMS, SOFTMAX, WEIGHTED, Layers, NotALayerError, Operand, assign, one
from .module import Call, LiftedModel, Signature, refusing
from .operations import KINDS, PURE, functions, packet
from .pooling import POOLING
from .schema import WORDS, Graph, Operation, Ref, read_graph
from .steps import Step, StepKind
from .trial import Trial
from .weights import read_weights

NOISE = {"rand_like", "randn_like", "bernoulli", "dropout", "native_dropout"}


@dataclass
class Known:
    """The tensors by name, and the trial that gives their stand-ins."""

    trial: Trial = field(default_factory=Trial)
    operands: dict[str, Operand] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, arrays: dict[str, Tensor]) -> "Known":
        """Begin with the model's input and its weights; a parameter named twice stays one."""
        known, entry = cls(), graph.input
        images = known.trial.begin(entry.name, entry.shape, WORDS[f"torch.{entry.dtype}"])
        known.operands[entry.name] = Operand(entry.name, images)
        parameters: dict[str, nn.Parameter] = {}
        for weight in graph.weights:
            tensor = arrays[weight.key]
            if weight.kind == "parameter" and tensor.is_floating_point():
                tensor = parameters.setdefault(weight.key, nn.Parameter(tensor))
            sample = known.trial.constant(weight.name, tensor)
            known.operands[weight.name] = Operand(weight.name, sample, tensor)
        return known

    def remember(self, operation: Operation, weight: Tensor | None = None) -> None:
        """Note the result of an operation that was tried; `weight` where no image changes it."""
        axes = operation.args[1] if len(operation.args) > 1 else operation.kwargs.get("dim", ())
        self.operands[operation.name] = Operand(
            name=operation.name,
            sample=self.trial.samples[operation.name],
            weight=weight,
            op=operation.op,
            first=self.operands.get(operation.target or ""),
            axes=axes,
        )

    def argument(self, argument: Any) -> Any:
        """Give a tensor argument as an operand, anything else as it is."""
        if not isinstance(argument, Ref):
            return argument
        if argument.name not in self.operands:
            raise NotALayerError
        return self.operands[argument.name]

    def is_weight(self, name: str) -> bool:
        """Whether a name stands for a tensor that no image changes."""
        return name in self.operands and self.operands[name].weight is not None

    def weights(self, read: Iterable[str]) -> dict[str, Tensor]:
        """Return those of the names that stand for weights, each once, with their values."""
        found = {name: self.operands[name].weight for name in read if name in self.operands}
        return {name: weight for name, weight in found.items() if weight is not None}

    def is_constant(self, operation: Operation, flow: Flow) -> bool:
        """Whether an operation depends on weights alone, draws nothing, and nothing changes its memory later."""
        still = flow.roots[operation.name] not in flow.changed and not in_place(operation.op)
        drawn = packet(operation.op) in NOISE or operation.shape is None
        return still and not drawn and all(self.is_weight(name) for name in operation.references)


def _prelu(image: Operand, weight: Operand) -> Layers:
    layer = nn.PReLU(weight.sample.numel(), device="meta")
    if len(weight.shape) != 1:  # below autograd the weight comes spread over the axes: take the one it was
        weight = weight.first or weight
    return one(image, StepKind.ACTIVATION, assign(layer, weight=weight))


def _plain(kind: StepKind, make: Callable[..., nn.Module]) -> Callable[..., Layers]:
    """A layer without weights, its settings the operation's further arguments."""

    def layers(image: Operand, *args: Any, **kwargs: Any) -> Layers:
        if not image.sample.is_floating_point():
            raise NotALayerError
        return one(image, kind, make(*args, **kwargs))

    return layers


def _makers(kind: StepKind, table: dict[str, Callable[..., nn.Module]]) -> dict[str, Callable[..., Layers]]:
    return {op: _plain(kind, table[packet(op)]) for op in PURE if packet(op) in table}


LAYERS: dict[str, Callable[..., Layers]] = {
    **_makers(StepKind.ACTIVATION, ACTIVATIONS),
    **_makers(StepKind.SOFTMAX, SOFTMAX),
    **POOLING,
    **NORMS,
    **WEIGHTED,
    "aten.prelu.default": _prelu,
    "aten._prelu_kernel.default": _prelu,
}


def lift(folder: Path, *, train: bool = False) -> LiftedModel:
    """Rebuild the model written in `folder` from `graph.json` (or `train.json`) and `weights.npz`.

    The result holds real layers of `torch.nn`; only operations of a closed list are taken, nothing is evaluated or
    unpickled, sizes are checked before memory is taken. Raises `EvidenceError`, one sentence, for anything else.
    """
    name = "train.json" if train else "graph.json"
    graph = read_graph(folder, name)
    arrays = read_weights(folder, graph.weights)
    with refusing(say(pl=f"nie da się odtworzyć {name}", en=f"{name} cannot be rebuilt")), torch.no_grad():
        flow = trace_flow(graph, functions().keys())
        if changed := flow.changed & {weight.name for weight in graph.weights}:
            raise EvidenceError(
                say(
                    pl=f"Model zmienia swoją wagę {min(changed)} w trakcie działania.",
                    en=f"The model changes its own weight {min(changed)} when it runs.",
                )
            )
        return _Builder(Known.of(graph, arrays), flow).build(graph)


@dataclass
class _Builder:
    """Builds one model; `known` holds what is known of each tensor so far, `calls` what computes it."""

    known: Known
    flow: Flow
    calls: dict[str, Call] = field(default_factory=dict)
    layered: set[str] = field(default_factory=set)
    shared: dict[object, nn.Module] = field(default_factory=dict)
    folded: int = 0

    def build(self, graph: Graph) -> LiftedModel:
        """Go through the live operations in order, then keep what the output still needs."""
        for operation in self.flow.operations:
            what = f"{operation.name} ({operation.op[:80]})"
            with refusing(say(pl=f"nie da się odtworzyć {what}", en=f"{what} cannot be rebuilt")):
                self._add(operation)
        if self.flow.output not in self.calls:
            raise EvidenceError(
                say(
                    pl="Wynik modelu nie jest obliczany na podstawie obrazów.",
                    en="The model's output is not computed from its images.",
                )
            )
        signature = Signature(
            input=graph.input.name,
            input_shape=graph.input.shape,
            input_dtype=WORDS[f"torch.{graph.input.dtype}"],
            output=self.flow.output,
            parameters_declared=graph.declared,
            changes_input=graph.input.name in self.flow.changed,
        )
        calls = self._needed()
        self.known.trial.check_memory(calls)
        steps = tuple(self._step(call) for call in calls)
        read = (name for call in calls for name in call.references)
        return LiftedModel(signature, calls, steps, self.known.weights(read))

    def _add(self, operation: Operation) -> None:
        if operation.op not in functions():
            raise EvidenceError(
                say(
                    pl=f"{operation.name}: {operation.op[:80]!r} nie jest operacją znaną programowi oceniającemu.",
                    en=f"{operation.name}: {operation.op[:80]!r} is not an operation the judge knows.",
                )
            )
        if operation.op == "getitem" and operation.target in self.layered:
            self._rename(operation, operation.target)
        elif self.known.is_constant(operation, self.flow):
            self._fold(operation)
            self.known.trial.charge(operation)
        else:
            if not self._add_layers(operation):
                self._add_function(operation)
            self.known.trial.charge(operation)

    def _rename(self, operation: Operation, target: str) -> None:
        """Give the layer's value the name of the first of the several tensors that the operation returned."""
        if operation.args[1:] != (0,):
            raise EvidenceError(
                say(
                    pl=f"{operation.name} korzysta z innego wyniku operacji {target} niż pierwszy.",
                    en=f"{operation.name} reads another result of {target} than its first.",
                )
            )
        self.layered.remove(target)
        call = replace(self.calls.pop(target), name=operation.name, shape=operation.shape, dtype=operation.dtype)
        self.calls[operation.name] = call
        self.known.trial.run(call)
        self.known.remember(operation)

    def _fold(self, operation: Operation) -> None:
        """Compute once what no image changes: a weight cast, turned or normalised stays a weight."""
        call = _as_call(operation, functions()[operation.op])
        self.folded += self.known.trial.run(call).nbytes
        if self.folded > MAX_WEIGHT_BYTES:
            raise too_heavy(operation.name)
        values = self.known.weights(operation.references)
        result: Tensor = call(values)
        sources = [value for value in values.values() if isinstance(value, nn.Parameter)]
        if len(sources) == 1 and sources[0].numel() == result.numel() and result.is_floating_point():
            result = nn.Parameter(result.detach())
        self.known.remember(operation, result)

    def _add_layers(self, operation: Operation) -> bool:
        if operation.op not in LAYERS:
            return False
        args = [self.known.argument(argument) for argument in operation.args]
        kwargs = {key: self.known.argument(argument) for key, argument in operation.kwargs.items()}
        try:
            found = LAYERS[operation.op](*args, **kwargs)
        except NotALayerError:
            return False
        self._chain(operation, found)
        if operation.shape is None:
            self.layered.add(operation.name)
        return True

    def _chain(self, operation: Operation, found: Layers) -> None:
        """Add the layers one after another; the last bears the operation's name."""
        source = found.source.name
        for kind, layer in found.layers[:-1]:
            name = f"{operation.name}.{kind}"
            inner = replace(operation, name=name, args=(Ref(source),), kwargs={}, shape=None, dtype=None)
            self._append(_as_call(inner, self._interned(layer), kind))
            source = name
        kind, layer = found.layers[-1]
        outer = replace(operation, args=(Ref(source),), kwargs={})
        self._append(_as_call(outer, self._interned(layer), kind))
        self.known.remember(operation)

    def _interned(self, layer: nn.Module) -> nn.Module:
        """A layer used twice with the same weights is one layer."""
        tensors = (*layer.parameters(), *layer.buffers())
        weights = tuple((tensor.data_ptr(), tensor.shape, tensor.dtype) for tensor in tensors)
        if not weights:
            return layer
        return self.shared.setdefault((type(layer), layer.extra_repr(), layer.training, weights), layer)

    def _add_function(self, operation: Operation) -> None:
        name = packet(operation.op)
        kind = _mask_kind(operation) if name == "bernoulli" else KINDS.get(name, StepKind.OTHER)
        self._append(_as_call(operation, functions()[operation.op], kind))
        if isinstance(self.known.trial.samples[operation.name], Tensor):
            self.known.remember(operation)

    def _append(self, call: Call) -> None:
        self.known.trial.run(call)
        self.calls[call.name] = call

    def _needed(self) -> tuple[Call, ...]:
        """Walk back from the output: building layers may have left an operation without a reader."""
        needed = {self.flow.output}
        kept = []
        for call in reversed(self.calls.values()):
            if call.name in needed or in_place(call.op):
                kept.append(call)
                needed.update(call.references)
        return tuple(reversed(kept))

    def _step(self, call: Call) -> Step:
        sample = self.known.trial.samples[call.name]
        shape = tuple(sample.shape) if isinstance(sample, Tensor) else ()
        computed = (name for name in call.references if not self.known.is_weight(name))
        layer = call.function if isinstance(call.function, nn.Module) else None
        return Step(call.name, call.op, call.kind, tuple(dict.fromkeys(computed)), shape, layer)


def _as_call(operation: Operation, function: Callable[..., Any], kind: StepKind = StepKind.OTHER) -> Call:
    return Call(
        name=operation.name,
        op=operation.op,
        kind=kind,
        function=function,
        args=operation.args,
        kwargs=operation.kwargs,
        shape=operation.shape,
        dtype=operation.dtype,
        autocast=operation.autocast,
    )


def _mask_kind(operation: Operation) -> StepKind:
    """Below autograd dropout is multiplication by a random mask: one number an image's map, or one a pixel."""
    shape = operation.shape or ()
    return StepKind.DROPOUT2D if len(shape) == 4 and shape[2:] == (1, 1) else StepKind.DROPOUT
