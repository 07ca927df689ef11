"""One lifted model on a profile's images: its scores, and what follows from them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torchinfo import ModelStatistics, summary

from autograder.engine.errors import EvidenceError
from autograder.lesson.data import CLASSES
from autograder.lesson.transform import ImageTransform
from autograder.models.rebuild import RebuiltModel, predict
from reference.data import Images
from reference.evaluation import accuracy, confusion, macro_f1

TOLERANCE = 1e-3
SEED = 6
CHUNK = 500
KEPT_BYTES = 256_000_000


@dataclass(frozen=True)
class Figures:
    """Accuracy and macro F1, fractions, on some images."""

    accuracy: float
    f1: float


class Pictures:
    """Some of a profile's images, given to models as the student's transform gives them, a chunk at a time."""

    def __init__(self, images: Images, transform: ImageTransform) -> None:
        self.labels = images.labels
        self._raw = images.images.split(CHUNK)
        self._transform = transform
        self._kept: dict[int, Tensor] = {}

    def scores(self, model: RebuiltModel) -> Tensor:
        """Return the model's scores, (N, 10) where it is as it should be."""
        return torch.cat([predict(model, self._chunk(index)) for index in range(len(self._raw))])

    def first(self, n: int) -> Tensor:
        """Return the first n images, (n, C, H, W); n is at most one chunk."""
        return self._chunk(0)[:n]

    def _chunk(self, index: int) -> Tensor:
        """Transform a chunk; keep it for the next model where all of them together take little memory."""
        if index in self._kept:
            return self._kept[index]
        chunk = self._transform(self._raw[index])
        if chunk.nbytes * len(self._raw) <= KEPT_BYTES:
            self._kept[index] = chunk
        return chunk


class Measured:
    """One lifted model and what was measured of it, each figure when it is first asked for."""

    def __init__(self, model: RebuiltModel, visible: Pictures, held_out: Pictures) -> None:
        self.model = model
        self._visible = visible
        self._held_out = held_out

    @cached_property
    def held_out(self) -> Figures:
        """On the images that never entered the sandbox."""
        return _figures(self.held_out_scores, self._held_out.labels)

    @cached_property
    def held_out_scores(self) -> Tensor:
        """The model's scores (N, 10) on those images."""
        return self._held_out.scores(self.model)

    def robustness(self, changed: Pictures) -> tuple[float, float]:
        """Return the accuracy on the first n held-out images as they are, and on these n, which are those changed."""
        n = len(changed.labels)
        before = _figures(self.held_out_scores[:n], self._held_out.labels[:n])
        return before.accuracy, _figures(changed.scores(self.model), changed.labels).accuracy

    @cached_property
    def visible(self) -> Figures:
        """On the same `testset` images that the notebook measured its results on."""
        return _figures(self.visible_scores, self._visible.labels)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers torchinfo finds on the way from input to output, by class name, in order."""
        return tuple(layer.class_name for layer in self.summary.summary_list if layer.is_leaf_layer)

    @cached_property
    def summary(self) -> ModelStatistics:
        """What torchinfo says of the model."""
        return summary(self.model, input_data=self.visible_batch(), verbose=0)

    def visible_batch(self) -> Tensor:
        """Return the first visible images as the student's model takes them, one batch."""
        return self._visible.first(self.model.batch_size)

    def agrees(self, outputs: Tensor) -> bool:
        """Whether the lifted model gives what the live one gave, (n, 10), on the first n visible images."""
        ours = self.visible_scores[: len(outputs)]
        return bool(outputs.numel()) and _close(ours, outputs)

    @cached_property
    def visible_scores(self) -> Tensor:
        """The model's scores (N, 10) on those images."""
        return self._visible.scores(self.model)


def same_in_eval(trained: RebuiltModel, model: RebuiltModel) -> bool:
    """Whether a training graph gives what the model gives, all layers put in eval mode meanwhile; on random images."""
    steps = (*trained.steps, *model.steps)
    layers = [step.layer for step in steps if step.layer is not None and step.layer.training]
    images = torch.randn(model.input_shape, generator=torch.Generator().manual_seed(SEED))
    try:
        for layer in layers:
            layer.eval()
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            ours, theirs = (one(images).double() for one in (model, trained))
    except EvidenceError:
        return False
    finally:
        for layer in layers:
            layer.train()
    return _close(theirs, ours)


def _close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether scores are alike, to rounding; NaN is like NaN, and an infinity like itself."""
    if ours.shape != theirs.shape:
        return False
    ours, theirs = ours.double(), theirs.double()
    finite = theirs.isfinite()
    size = theirs[finite].abs().amax() if finite.any() else 0.0
    return torch.allclose(ours, theirs, rtol=0, atol=float(TOLERANCE * (1 + size)), equal_nan=True)


def _figures(scores: Tensor, labels: Tensor) -> Figures:
    """Measure scores (N, 10); a model that gives any other number of scores is right about no image."""
    if scores.shape != (len(labels), CLASSES):
        return Figures(0.0, 0.0)
    counts = confusion(scores.argmax(1), labels, CLASSES)
    return Figures(float(accuracy(counts)), float(macro_f1(counts)))
