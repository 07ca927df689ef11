"""What a network scores on images, measured quickly: bytes in, channels last, bfloat16 if it pays."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from reference import lean
from reference.data import CLASSES, Images, to_float
from reference.device import autocast, borrowed, has_bfloat16, pick_device
from reference.metrics import Metrics, accuracy, confusion, macro_f1
from reference.recipe import Recipe

BATCH = 1000


@dataclass(frozen=True)
class Bench:
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
        """Run the model: (B, classes) float32."""
        wanted = self.recipe.bfloat16
        enabled = has_bfloat16(self.device) if wanted is None else wanted
        with autocast(self.device, enabled=enabled):
            return lean.scores(self.model, inputs).float()

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


def evaluate(model: nn.Module, images: Images, recipe: Recipe | None = None) -> Metrics:
    """Measure loss, accuracy and macro F1 of `model` in evaluation mode; it stays as it was.

    Of the recipe only normalisation, device and precision matter. Raises `ValueError` for no images.
    """
    if len(images) == 0:
        raise ValueError("Evaluation takes at least one image.")
    recipe = recipe or Recipe()
    bench = Bench(model, recipe, pick_device(recipe.device))
    with borrowed(model, bench.device):
        return Metrics(*bench.measure(bench.moved(images)).tolist())
