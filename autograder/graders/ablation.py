"""Whether a model's answer rests on some of its layers: take them out and see what is left of it.

A layer that is on the way from input to output by name may still be worth nothing, its result multiplied by zero.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from autograder.graders.flow import Flow
from autograder.lift import LiftedModel, Step

SEED = 5


def dependence(flow: Flow, steps: Sequence[Step]) -> float:
    """Return which part of the outputs' variance over images, 0…1, is gone when the steps' layers give zeros.

    1 where the model's answer comes through them alone, 0 where it does not need them. A model whose answer is the same
    for every image depends on them fully, as far as anybody can tell. The images are random.
    """
    images = torch.randn(flow.model.input_shape, generator=torch.Generator().manual_seed(SEED))
    whole = _spread(flow.model, images)
    with _silenced(steps):
        left = _spread(flow.model, images)
    return 1.0 if whole <= 0 else max(0.0, 1.0 - left / whole)


def _spread(model: LiftedModel, images: Tensor) -> float:
    """Return the outputs' variance over the images of a batch, summed over classes; what is not finite counts nothing."""
    with torch.inference_mode():
        scores = model(images.to(model.input_dtype)).double()
    return float(scores.nan_to_num(0, 0, 0).reshape(len(scores), -1).var(0).sum())


@contextmanager
def _silenced(steps: Sequence[Step]) -> Iterator[None]:
    """Let the layers of these steps give zeros while the block runs."""
    layers = {id(step.layer): step.layer for step in steps if step.layer is not None}
    hooks = [layer.register_forward_hook(lambda _m, _i, out: torch.zeros_like(out)) for layer in layers.values()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
