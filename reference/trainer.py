"""The one training loop of the reference.

What makes it quick: the images stay on the device as bytes, a batch is one indexing and one
conversion, convolutions run channels-last and in bfloat16 where the hardware has it, feature maps
are written as seldom as can be (`lean`), a GPU replays a recorded step (`replay`), and the losses
are fetched once an epoch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from reference.data import Images
from reference.device import borrowed, pick_device
from reference.evaluation import Bench, evaluate
from reference.metrics import Metrics
from reference.recipe import Optimiser, Recipe
from reference.replay import Replayed, Step

__all__ = ["Epoch", "History", "Metrics", "Optimiser", "Recipe", "evaluate", "train"]


@dataclass(frozen=True)
class History:
    """A value an epoch: mean cross-entropy in nats, accuracy as a fraction."""

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Epoch:
    """What is told after each epoch, counted from 1."""

    number: int
    train_loss: float
    validation: Metrics


def train(
    model: nn.Module,
    images: Images,
    validation: Images,
    recipe: Recipe,
    report: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `model` in place on `images` and return how it went; `report` is called each epoch.

    The same recipe, model, device and number of threads give the same weights. The model's mode and
    device and the global random state are afterwards as before. Raises `ValueError` where there are
    no images, no epochs or empty batches.
    """
    if min(len(images), len(validation), recipe.epochs, recipe.batch_size) < 1:
        raise ValueError("Training takes images, images to validate on, an epoch and a batch of 1.")
    bench = Bench(model, recipe, pick_device(recipe.device))
    epochs: list[Epoch] = []
    with borrowed(model, bench.device):
        torch.manual_seed(recipe.seed)
        for epoch in _epochs(bench, bench.moved(images), bench.moved(validation)):
            epochs.append(epoch)
            if report is not None:
                report(epoch)
    return History(
        train_loss=tuple(epoch.train_loss for epoch in epochs),
        val_loss=tuple(epoch.validation.loss for epoch in epochs),
        val_accuracy=tuple(epoch.validation.accuracy for epoch in epochs),
    )


def _epochs(bench: Bench, data: Images, validation: Images) -> Iterator[Epoch]:
    optimiser = bench.recipe.optimiser_for(bench.model)
    schedule = bench.recipe.schedule_for(optimiser, len(data))
    step: Step = _Training(bench, data, optimiser)
    if bench.device.type == "cuda":
        step = Replayed(step, bench.recipe.batch_size, bench.device)
    for number in range(1, bench.recipe.epochs + 1):
        loss = _epoch(bench, len(data), step, schedule)
        # The epoch's only fetch from the device.
        values = torch.stack([loss, *bench.measure(validation)]).tolist()
        yield Epoch(number, values[0], Metrics(*values[1:]))


def _epoch(bench: Bench, images: int, step: Step, schedule: LRScheduler | None) -> torch.Tensor:
    """Train once on every image, in mixed order; return the mean loss, a float64 scalar."""
    bench.model.train()
    total = torch.zeros((), dtype=torch.float64, device=bench.device)
    for batch in torch.randperm(images, device=bench.device).split(bench.recipe.batch_size):
        total += step(batch) * len(batch)
        if schedule is not None:
            schedule.step()
    return total / images


@dataclass(frozen=True)
class _Training:
    """One step of training, on the images with the given indices (B,); returns the mean loss."""

    bench: Bench
    data: Images
    optimiser: torch.optim.Optimizer

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        inputs = _mirrored(self.bench.inputs(self.data.images[batch]), self.bench.recipe)
        loss = F.cross_entropy(self.bench.scores(inputs), self.data.labels[batch])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()


def _mirrored(inputs: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    if not recipe.flip:
        return inputs
    chosen = torch.rand(len(inputs), 1, 1, 1, device=inputs.device) < 0.5
    return torch.where(chosen, inputs.flip(3), inputs)
