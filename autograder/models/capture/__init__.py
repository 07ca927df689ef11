"""Capture inside the sandbox: a model as a graph of tensor operations and weights, gradient steps as they are taken."""

from .export import export_model
from .gradients import UNTAKEN, watch, watched

__all__ = ["UNTAKEN", "export_model", "watch", "watched"]
