"""Which operations become real layers: `aten.conv2d` → `nn.Conv2d` and so on.

Each maker takes the arguments of the ATen operation it stands for, in that order and with those defaults, and raises
`NotALayerError` where no layer computes that; the operation then stays a plain function.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from .activations import ACTIVATIONS, SOFTMAX, NotALayerError
from .allowed import PURE
from .layers import Layers, Operand, assign, one
from .norms import NORMS
from .operations import packet
from .pooling import POOLING
from .steps import StepKind
from .weighted import WEIGHTED


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
