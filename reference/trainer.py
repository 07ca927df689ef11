"""The one training loop of the reference.

What makes it quick: the images stay on the device as bytes, a batch is one indexing and one
conversion, convolutions run channels-last and in bfloat16 where the hardware has it, and the
losses are fetched once an epoch, so that a GPU never waits for Python.
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
    for number in range(1, bench.recipe.epochs + 1):
        loss = _epoch(bench, data, optimiser, schedule)
        # The epoch's only fetch from the device.
        values = torch.stack([loss, *bench.measure(validation)]).tolist()
        yield Epoch(number, values[0], Metrics(*values[1:]))


def _epoch(bench: Bench, data: Images, optimiser: torch.optim.Optimizer, schedule: LRScheduler | None) -> torch.Tensor:
    """Train once on every image, in mixed order; return the mean loss, a float64 scalar."""
    bench.model.train()
    size = bench.recipe.batch_size
    order = torch.randperm(len(data), device=bench.device)
    total = torch.zeros((), dtype=torch.float64, device=bench.device)
    for start in range(0, len(data), size):
        batch = order[start : start + size]
        inputs = _mirrored(bench.inputs(data.images[batch]), bench.recipe)
        loss = F.cross_entropy(bench.scores(inputs), data.labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if schedule is not None:
            schedule.step()
        total += loss.detach() * len(batch)
    return total / len(data)


def _mirrored(inputs: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    if not recipe.flip:
        return inputs
    chosen = torch.rand(len(inputs), 1, 1, 1, device=inputs.device) < 0.5
    return torch.where(chosen, inputs.flip(3), inputs)
