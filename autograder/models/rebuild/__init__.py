"""Rebuild a student's model from data: a graph of tensor operations and arrays become a trusted `nn.Module`."""

from .build import prepare_rebuilding, rebuild_model
from .module import Compute, RebuiltModel, Step
from .operations import StepKind, in_place
from .prediction import predict

__all__ = ["Compute", "RebuiltModel", "Step", "StepKind", "in_place", "predict", "prepare_rebuilding", "rebuild_model"]
