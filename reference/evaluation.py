"""Evaluates a network on images: loss, accuracy and F1, in channels-last layout and bfloat16 if faster.

Beside the convolutions themselves, a step on a processor is spent on reading and writing feature
maps; `quick_scores` passes over memory less often, in training too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from reference.data import CLASSES, Images, to_float
from reference.recipe import Recipe, has_bfloat16, moved_to, pick_device
from reference.zoo import CNN

BATCH = 1000


@dataclass(frozen=True)
class Metrics:
    """Fractions in [0, 1]; `loss` is the mean cross-entropy in nats."""

    loss: float
    accuracy: float
    f1: float


def evaluate(model: nn.Module, images: Images, recipe: Recipe | None = None) -> Metrics:
    """Measure loss, accuracy and macro F1 of `model` in evaluation mode; it stays as it was.

    Of the recipe only normalisation, device and precision matter. Raises `ValueError` for no images.
    """
    if len(images) == 0:
        raise ValueError("Evaluation takes at least one image.")
    recipe = recipe or Recipe()
    placed = ModelOnDevice(model, recipe, pick_device(recipe.device))
    with moved_to(placed.device, model):
        return Metrics(*placed.measure(placed.moved(images)).tolist())


@dataclass(frozen=True)
class ModelOnDevice:
    """A model on a device, and the recipe that says how it sees images."""

    model: nn.Module
    recipe: Recipe
    device: torch.device

    def moved(self, images: Images) -> Images:
        """Return the images on the device, still as bytes."""
        return Images(images.images.to(self.device), images.labels.to(self.device))

    def inputs(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise a batch of bytes as the recipe says: (B, C, H, W) float32, channels last."""
        normalised = to_float(images).sub_(self.recipe.mean).div_(self.recipe.std)
        return normalised.contiguous(memory_format=torch.channels_last)

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the model: (B, classes) float32; convolutions and matrix products may take bfloat16."""
        wanted = self.recipe.bfloat16
        enabled = has_bfloat16(self.device) if wanted is None else wanted
        with torch.autocast(self.device.type, torch.bfloat16, enabled=enabled):
            return quick_scores(self.model, inputs).float()

    @torch.no_grad()
    def measure(self, data: Images) -> torch.Tensor:
        """Return mean loss, accuracy and macro F1 in evaluation mode: (3,) float64, on the device."""
        self.model.eval()
        counts = torch.zeros(CLASSES, CLASSES, dtype=torch.int64, device=self.device)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for start in range(0, len(data), BATCH):
            labels = data.labels[start : start + BATCH]
            scores = self.scores(self.inputs(data.images[start : start + BATCH]))
            total += F.cross_entropy(scores, labels, reduction="sum")
            counts += confusion(scores.argmax(dim=1), labels, CLASSES)
        return torch.stack([total / len(data), accuracy(counts), macro_f1(counts)])


def confusion(predicted: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Count pairs: entry (i, j) is how often class i was taken for j. (classes, classes), int64."""
    pairs = labels.to(torch.int64) * classes + predicted.to(torch.int64)
    # Not bincount, which makes a GPU wait for the largest pair.
    counts = torch.zeros(classes * classes, dtype=torch.int64, device=pairs.device)
    return counts.scatter_add_(0, pairs, torch.ones_like(pairs)).reshape(classes, classes)


def accuracy(counts: torch.Tensor) -> torch.Tensor:
    """Return the fraction of images on the diagonal of a confusion matrix; a float64 scalar."""
    return counts.diagonal().sum().to(torch.float64) / counts.sum()


def macro_f1(counts: torch.Tensor) -> torch.Tensor:
    """Return the unweighted mean of the classes' F1 scores, from a confusion matrix; float64.

    A class that neither occurs nor is predicted does not count; one that is never predicted right
    counts 0. So scikit-learn's f1_score(average="macro", zero_division=0) has it.
    """
    right = counts.diagonal().to(torch.float64)
    either = (counts.sum(dim=0) + counts.sum(dim=1)).to(torch.float64)
    f1 = torch.where(either > 0, 2 * right / either.clamp(min=1), 0.0)
    return f1.sum() / (either > 0).sum()


def quick_scores(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return the scores (B, classes) of images (B, C, H, W), and gradients, as `model(inputs)` does.

    A `CNN` runs in fewer passes over memory: ReLU writes where it read. It comes after max pooling,
    which leaves it a quarter of the values: the largest of four, cut at zero, is the largest of the
    four cut at zero, and the gradient takes the same way. The classifier's weights are brought into
    the maps' order, channels last, and not the far larger maps into the weights'. Any other network
    runs as it is.
    """
    if not isinstance(model, CNN):
        result: torch.Tensor = model(inputs)
        return result
    maps = inputs
    for block in model.blocks:
        for layer in _pooled_first(block):
            maps = F.relu_(maps) if isinstance(layer, nn.ReLU) else layer(maps)
    maps = model.pool(maps)
    weight = model.classifier.weight.unflatten(1, maps.shape[1:]).permute(0, 2, 3, 1)
    return F.linear(maps.permute(0, 2, 3, 1).flatten(1), weight.flatten(1), model.classifier.bias)


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
