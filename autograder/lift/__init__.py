"""Rebuild a student's model from data: a graph of tensor operations and arrays become a trusted `nn.Module`."""

from .build import lift
from .flow import in_place
from .module import Call, Compute, LiftedModel, out_of_memory, predict
from .schema import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES
from .steps import Step, StepKind
from .weights import too_heavy

__all__ = [
    "MAX_GRAPH_BYTES",
    "MAX_WEIGHT_BYTES",
    "Call",
    "Compute",
    "LiftedModel",
    "Step",
    "StepKind",
    "in_place",
    "lift",
    "out_of_memory",
    "predict",
    "too_heavy",
]
