"""Whether a model's answer rests on some of its layers: disturb or silence them and see what becomes of it.

A layer that is on the way from input to output by name may still be worth nothing, its result multiplied by zero.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from autograder.lift import LiftedModel, Step

SEED = 5
LOUD = 3.0  # noise, in units of the layer's largest output
HEARD = 1e-3  # of the scores' standard deviation over images

_UNUSED: WeakKeyDictionary[LiftedModel, frozenset[str]] = WeakKeyDictionary()


def dependence(model: LiftedModel, steps: Sequence[Step]) -> float:
    """Return which part of the outputs' variance over images, 0…1, is gone when the steps' layers give zeros.

    1 where the model's answer comes through them alone, 0 where it does not need them. A model whose answer is the same
    for every image depends on them fully, as far as anybody can tell. The images are random.
    """
    images = _images(model)
    whole = _spread(_scores(model, images))
    with _changed([step.layer for step in steps if step.layer is not None], torch.zeros_like):
        left = _spread(_scores(model, images))
    return 1.0 if whole <= 0 else max(0.0, 1.0 - left / whole)


def unused(model: LiftedModel) -> frozenset[str]:
    """Return the names of the steps whose layers can give anything: loud noise does not change the model's scores.

    Empty for a model whose scores are the same for every image: nothing can be told of it. Measured once a model.
    """
    if model not in _UNUSED:
        _UNUSED[model] = frozenset(_unheard(model))
    return _UNUSED[model]


def _unheard(model: LiftedModel) -> Iterator[str]:
    images = _images(model)
    scores = _scores(model, images)
    level = HEARD * _spread(scores) ** 0.5
    if level <= 0:
        return
    for step in model.steps:
        if step.layer is not None:
            with _changed([step.layer], _disturbed):
                difference = (_scores(model, images) - scores).abs().max()
            if difference < level:
                yield step.name


def _disturbed(output: Tensor) -> Tensor:
    """Add noise, the same each time."""
    if not output.is_floating_point():
        return output
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(SEED)).to(output.dtype)
    return output + LOUD * (output.abs().max() + 1) * noise


def _images(model: LiftedModel) -> Tensor:
    return torch.randn(model.input_shape, generator=torch.Generator().manual_seed(SEED)).to(model.input_dtype)


def _scores(model: LiftedModel, images: Tensor) -> Tensor:
    """Return the scores (B, n) float64; what is not finite counts nothing. Dropout falls the same way each time."""
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        scores: Tensor = model(images)
    return scores.double().nan_to_num(0, 0, 0).reshape(len(images), -1)


def _spread(scores: Tensor) -> float:
    """Return the variance over the images of a batch, summed over classes."""
    return float(scores.var(0).sum())


@contextmanager
def _changed(layers: Sequence[nn.Module], change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let these layers give something else while the block runs."""
    distinct = {id(layer): layer for layer in layers}.values()
    hooks = [layer.register_forward_hook(lambda _m, _i, out: change(out)) for layer in distinct]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
