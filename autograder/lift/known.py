"""What is known of every tensor while a model is being built: its stand-in, its value where it is a weight, its origin."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .activations import NotALayerError
from .flow import Flow, in_place
from .graph import WORDS, Graph, Operation, Ref
from .layers import Operand
from .operations import packet
from .trial import Trial

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
