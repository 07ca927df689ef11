"""The one training loop of the reference.

What makes it quick: the images stay on the device as bytes, a batch is one indexing and one
conversion, convolutions run channels-last and in bfloat16 where the hardware has it, feature maps
are written as seldom as can be (`quick_scores`), a GPU replays a recorded step (`ReplayedStep`),
and the losses are fetched once an epoch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from reference.data import Images
from reference.evaluation import Metrics, ModelOnDevice
from reference.recipe import Optimiser, Recipe, moved_to, pick_device

TrainingStep = Callable[[torch.Tensor], torch.Tensor]
"""Trains on the images with the given indices (B,); returns the mean loss."""

WARM_UP = 3


@dataclass(frozen=True)
class TrainingHistory:
    """One value per epoch: mean cross-entropy in nats, accuracy as a fraction."""

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Epoch:
    """The progress reported after each epoch, counted from 1."""

    number: int
    train_loss: float
    validation: Metrics


def train(
    model: nn.Module,
    images: Images,
    validation: Images,
    recipe: Recipe,
    report: Callable[[Epoch], None] | None = None,
) -> TrainingHistory:
    """Train `model` in place on `images` and return how it went; `report` is called each epoch.

    The same recipe, model, device and number of threads give the same weights. The model's mode and
    device and the global random state are afterwards as before. Raises `ValueError` where there are
    no images, no epochs or empty batches.
    """
    if min(len(images), len(validation), recipe.epochs, recipe.batch_size) < 1:
        raise ValueError("Training takes images, images to validate on, an epoch and a batch of 1.")
    placed = ModelOnDevice(model, recipe, pick_device(recipe.device))
    epochs: list[Epoch] = []
    with moved_to(placed.device, model):
        torch.manual_seed(recipe.seed)
        for epoch in _epochs(placed, placed.moved(images), placed.moved(validation)):
            epochs.append(epoch)
            if report is not None:
                report(epoch)
    return TrainingHistory(
        train_loss=tuple(epoch.train_loss for epoch in epochs),
        val_loss=tuple(epoch.validation.loss for epoch in epochs),
        val_accuracy=tuple(epoch.validation.accuracy for epoch in epochs),
    )


def _epochs(placed: ModelOnDevice, data: Images, validation: Images) -> Iterator[Epoch]:
    model, recipe, device = placed.model, placed.recipe, placed.device
    optimiser = _optimiser(model, recipe)
    schedule = None
    if recipe.one_cycle:
        steps = -(-len(data) // recipe.batch_size) * recipe.epochs
        # Momentum stays: it is a number of Python's, which a recorded step would not see change.
        schedule = OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps, cycle_momentum=False)

    def step(batch: torch.Tensor) -> torch.Tensor:
        inputs = placed.inputs(data.images[batch])
        if recipe.flip:
            chosen = torch.rand(len(inputs), 1, 1, 1, device=device) < 0.5
            inputs = torch.where(chosen, inputs.flip(3), inputs)
        loss = F.cross_entropy(placed.scores(inputs), data.labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    taken = ReplayedStep(step, recipe.batch_size, device) if device.type == "cuda" else step
    for number in range(1, recipe.epochs + 1):
        model.train()
        total = torch.zeros((), dtype=torch.float64, device=device)
        for batch in torch.randperm(len(data), device=device).split(recipe.batch_size):
            total += taken(batch) * len(batch)
            if schedule is not None:
                schedule.step()
        # The epoch's only fetch from the device.
        values = torch.stack([total / len(data), *placed.measure(validation)]).tolist()
        yield Epoch(number, values[0], Metrics(*values[1:]))


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return a fused optimiser; on a GPU the learning rate is a tensor there: a recorded step sees it change."""
    weights, decay = list(model.parameters()), recipe.weight_decay
    on_gpu = weights[0].is_cuda
    rate = torch.tensor(recipe.learning_rate, device=weights[0].device) if on_gpu else recipe.learning_rate
    if recipe.optimiser is Optimiser.ADAM:
        return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True, capturable=on_gpu)
    return torch.optim.SGD(weights, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=True)


class ReplayedStep:
    """A training step for batches of `size` indices, recorded once as a CUDA graph and replayed.

    A step of a small network is a hundred kernels of a few microseconds each; launching them one by
    one from Python takes longer than running them. See
    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.

    `step` must not fetch anything from the device, and what changes from step to step must be in
    tensors. The first calls run as they are, so that the libraries settle; so do batches of another
    size, as an epoch's last. The loss returned is overwritten by the next call.
    """

    def __init__(self, step: TrainingStep, size: int, device: torch.device) -> None:
        self._step = step
        self._batch = torch.zeros(size, dtype=torch.int64, device=device)
        self._warm_ups = WARM_UP
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss = torch.zeros((), device=device)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Train on one batch; return its loss."""
        if len(batch) != len(self._batch):
            return self._step(batch)
        if self._warm_ups:
            self._warm_ups -= 1
            return self._on_side_stream(batch)
        self._batch.copy_(batch)
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):  # this records, and computes nothing yet
                self._loss = self._step(self._batch)
            self._graph = graph
        self._graph.replay()
        return self._loss

    def _on_side_stream(self, batch: torch.Tensor) -> torch.Tensor:
        """Run on a stream of its own, as recording will."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            loss = self._step(batch)
        current.wait_stream(stream)
        return loss
