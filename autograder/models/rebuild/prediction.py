"""Computes a rebuilt model's scores on many images, its first layers in oneDNN's own memory layout.

In that layout a convolution's maps are not rearranged for each layer: 30 % less time for convolutions with ReLU and
pooling, and the same values to the last bit. Only NaN is not kept there, so it is used where no value can overflow.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.engine.errors import EvidenceError
from autograder.models import refusal

from .module import RebuiltModel, Step
from .operations import in_place
from .pooling import AvgPool2d, MaxPool2d

LARGEST = 1e37  # a value of at most this, and rounding, stays a finite float32
_QUICK: WeakKeyDictionary[RebuiltModel, tuple[float, dict[str, Step]]] = WeakKeyDictionary()
"""By model: the steps that take the places of its first ones, and the images' largest value they are for."""


def predict(model: RebuiltModel, images: Tensor) -> Tensor:
    """Return the scores (N, classes) of images (N, C, H, W), in batches of the model's own size.

    The last batch is filled up with the first images, again and again, and what they add is cut off.
    Raises `EvidenceError` like the model does, also when it does not give one row per image.
    """
    size, count = model.batch_size, len(images)
    scores = []
    with torch.inference_mode():
        quick = _quick_steps(model, images)
        for start in range(0, count, size):
            whole = start + size <= count
            batch = images[start : start + size].clone() if whole else images[torch.arange(start, start + size) % count]
            try:
                rows = model.run(batch, partial(_compute, quick))
            except EvidenceError:
                if not quick:
                    raise
                quick = {}
                _QUICK[model] = float("inf"), quick
                rows = model(batch)
            if rows.dim() != 2 or len(rows) != size:
                raise refusal(
                    pl=f"Model daje {tuple(rows.shape)}, a nie po jednym wierszu wyników na obraz.",
                    en=f"The model gives {tuple(rows.shape)}, not one row of scores an image.",
                )
            scores.append(rows)
    return torch.cat(scores)[:count] if scores else torch.empty(0, 0)


def _compute(quick: Mapping[str, Step], step: Step, values: Mapping[str, Any]) -> Any:
    return quick.get(step.name, step)(values)


def _quick_steps(model: RebuiltModel, images: Tensor) -> dict[str, Step]:
    """Return the steps that take the places of the model's first ones, by name; none where that saves nothing or may err."""
    bound = float(images.abs().max()) if images.numel() else 0.0
    known, quick = _QUICK.get(model, (-1.0, {}))
    if not bound <= known:
        quick = _made_quick(model, bound)
        _QUICK[model] = bound, quick
    return quick


def _made_quick(model: RebuiltModel, bound: float) -> dict[str, Step]:
    if not torch.backends.mkldnn.is_available() or model.input_dtype != torch.float32:
        return {}
    chain = list(_first_layers(model, bound))
    if not any(isinstance(step.layer, nn.ReLU | MaxPool2d | AvgPool2d) for step in chain[1:]):
        return {}
    quick = {}
    for index, step in enumerate(chain):
        before, after = chain[max(0, index - 1)].layer, chain[index + 1].layer if step is not chain[-1] else None
        call = _quick_call(step, relu_before=isinstance(before, nn.ReLU), pooled_after=isinstance(after, MaxPool2d))
        ends = partial(_at_the_ends, call, first=index == 0, last=after is None)
        shape, dtype = (step.shape, step.dtype) if after is None else (None, None)
        quick[step.name] = replace(step, function=ends, shape=shape, dtype=dtype)
    return quick


def _first_layers(model: RebuiltModel, bound: float) -> Iterator[Step]:
    """Yield the steps from the input on, each the only reader of the one before, that give the same in oneDNN's layout.

    `bound` is the images' largest absolute value. The first is a convolution; none can give more than `LARGEST`.
    """
    name = model.input
    while name != model.output:
        readers = [step for step in model.steps if name in step.references]
        if len(readers) != 1 or readers[0].autocast is not None or in_place(readers[0].op):
            return
        (step,) = readers
        if type(step.layer) is nn.Conv2d:
            bound = _largest(step.layer, bound)
            if not bound <= LARGEST:  # nor NaN
                return
        elif name == model.input or not _fits(step.layer):
            return
        yield step
        name = step.name


def _largest(layer: nn.Conv2d, bound: float) -> float:
    """Return what a convolution can give at most of values up to `bound`; infinity where it is not one of float32."""
    weights = (layer.weight,) if layer.bias is None else (layer.weight, layer.bias)
    if isinstance(layer.padding, str) or any(weight.dtype != torch.float32 for weight in weights):
        return float("inf")
    sums = layer.weight.detach().double().abs().flatten(1).sum(1) * bound
    return float((sums if layer.bias is None else sums + layer.bias.detach().double().abs()).max())


def _fits(layer: nn.Module | None) -> bool:
    """Whether a layer gives the same values in oneDNN's layout."""
    if isinstance(layer, MaxPool2d):
        inside = layer.padding in {0, (0, 0)} and layer.dilation in {1, (1, 1)}
        return inside and not layer.ceil_mode
    if isinstance(layer, AvgPool2d):
        return layer.padding in {0, (0, 0)} and not layer.ceil_mode and layer.divisor_override is None
    return type(layer) is nn.ReLU or (isinstance(layer, nn.Dropout | nn.Dropout2d) and not layer.training)


def _quick_call(step: Step, *, relu_before: bool, pooled_after: bool) -> Callable[[Tensor], Tensor]:
    """Return what computes a step on maps in oneDNN's layout, which only it reads.

    Of the largest of a window and zero it is all the same which is found first: ReLU comes after max pooling, on a quarter
    of the values.
    """
    layer = step.layer
    if isinstance(layer, MaxPool2d):
        pool = partial(nn.MaxPool2d.forward, layer)
        return (lambda maps: F.relu_(pool(maps))) if relu_before else pool
    if isinstance(layer, AvgPool2d):
        return partial(nn.AvgPool2d.forward, layer)
    if isinstance(layer, nn.ReLU):
        return (lambda maps: maps) if pooled_after else F.relu_
    return layer if isinstance(layer, nn.Conv2d) else (lambda maps: maps)


def _at_the_ends(call: Callable[[Tensor], Tensor], maps: Tensor, *, first: bool, last: bool) -> Tensor:
    """Compute a step, and change the layout before the first and after the last."""
    found = call(maps.contiguous().to_mkldnn() if first else maps)
    return found.to_dense() if last else found
