"""Rebuild a student's model from data: a graph of tensor operations and arrays become a trusted `nn.Module`."""

from .build import lift
from .flow import in_place
from .module import Call, Compute, LiftedModel, predict
from .steps import Step, StepKind

__all__ = [
    "Call",
    "Compute",
    "LiftedModel",
    "Step",
    "StepKind",
    "in_place",
    "lift",
    "out_of_memory",
    "predict",
]
