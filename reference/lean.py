"""The zoo's network in fewer passes over memory: what trains it gets the same scores and gradients.

Beside the convolutions themselves, a step on a processor is spent on reading and writing feature
maps. So here ReLU writes where it read. It comes after max pooling, which leaves it a quarter of the
values: the largest of four, cut at zero, is the largest of the four cut at zero, and the gradient
takes the same way. The classifier's weights are brought into the maps' order, channels last, and
not the far larger maps into the weights'.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from reference.zoo import CNN


def scores(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return the scores (B, classes) of images (B, C, H, W), as `model(inputs)` does, for training.

    A `CNN` takes the shorter way; any other network runs as it is.
    """
    if not isinstance(model, CNN):
        result: torch.Tensor = model(inputs)
        return result
    maps = inputs
    for block in model.blocks:
        for layer in _pooled_first(block):
            maps = F.relu_(maps) if isinstance(layer, nn.ReLU) else layer(maps)
    return _classified(model.classifier, model.pool(maps))


def _pooled_first(block: nn.Module) -> Iterator[nn.Module]:
    """Yield a block's layers, ReLU after the max pooling that follows it."""
    held: nn.Module | None = None
    for layer in block.children():
        if held is not None and not isinstance(layer, nn.MaxPool2d):
            yield held
            held = None
        if isinstance(layer, nn.ReLU):
            held = layer
        else:
            yield layer
    if held is not None:
        yield held


def _classified(classifier: nn.Linear, maps: torch.Tensor) -> torch.Tensor:
    """Flatten maps (B, C, H, W) and apply the linear layer, without moving the maps."""
    weight = classifier.weight.unflatten(1, maps.shape[1:]).permute(0, 2, 3, 1)
    return F.linear(maps.permute(0, 2, 3, 1).flatten(1), weight.flatten(1), classifier.bias)
