"""Rebuild a student's model from data: a graph of tensor operations and arrays become a trusted `nn.Module`."""

from .build import lift
from .module import LiftedModel, predict
from .steps import Step, StepKind

__all__ = ["LiftedModel", "Step", "StepKind", "lift", "predict"]
