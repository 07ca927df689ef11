"""Capture inside the sandbox: gradient steps as they are taken; `export` writes a model as a graph and weights.

The notebook's own `import torch` brings in the counting of steps alone: whatever may fail in the exporter fails where a model is
exported.
"""

from .gradients import NO_NAME, count_steps, step_counter

__all__ = ["NO_NAME", "count_steps", "step_counter"]
