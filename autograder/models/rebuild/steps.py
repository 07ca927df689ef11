"""What graders see of a lifted model: one step for each operation on the way from input to output."""

from dataclasses import dataclass
from enum import StrEnum

from torch import nn


class StepKind(StrEnum):
    """What an operation is, in the lesson's words."""

    CONV = "conv"
    ACTIVATION = "activation"
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    GLOBAL_POOL = "global_pool"
    BATCH_NORM = "batch_norm"
    DROPOUT = "dropout"
    DROPOUT2D = "dropout2d"
    FLATTEN = "flatten"
    LINEAR = "linear"
    SOFTMAX = "softmax"
    OTHER = "other"


@dataclass(frozen=True)
class Step:
    """One operation that the output depends on.

    `op` is its ATen name, `inputs` name the steps (or the model's input) whose values it reads; weights are left out.
    `output_shape` has the fixed batch first; it is empty where the operation returns several tensors.
    `layer` is the real layer that computes it, None where a plain function does.
    """

    name: str
    op: str
    kind: StepKind
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    layer: nn.Module | None
