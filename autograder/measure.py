"""What the judge measures of a model itself: never what the notebook says of it.

The lifted model runs in the judge on images the judge prepared. It must first agree with the live one on the images the
student's code saw; then its accuracy is measured on those and on the held-out ones.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torchinfo import summary

from autograder.errors import EvidenceError
from autograder.evidence import Evidence, ModelRecord
from autograder.language import say
from autograder.lift import LiftedModel, lift, predict
from autograder.probes import random_images
from autograder.profiles import CLASSES, Split, load_split
from autograder.report import ModelReport
from autograder.thresholds import threshold
from autograder.transform import ImageTransform, UnknownTransformError, recover
from autograder.verdicts import UndecidedError, absent
from reference.data import Dataset, Images
from reference.metrics import accuracy, confusion, macro_f1

TOLERANCE = 1e-3
CHUNK = 500
KEPT_BYTES = 256_000_000
TIGHT = "baseline"  # the one model whose accuracy is itself worth points
REALLY_TRAINED = 0.30  # what every other model must reach


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

    def scores(self, model: LiftedModel) -> Tensor:
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

    def __init__(self, model: LiftedModel, visible: Pictures, held_out: Pictures) -> None:
        self.model = model
        self._visible = visible
        self._held_out = held_out

    @cached_property
    def held_out(self) -> Figures:
        """On the images that never entered the sandbox."""
        return _figures(self._held_out.scores(self.model), self._held_out.labels)

    @cached_property
    def visible(self) -> Figures:
        """On the same `testset` images that the notebook measured its results on."""
        return _figures(self._visible_scores, self._visible.labels)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers torchinfo finds on the way from input to output, by class name, in order."""
        info = summary(self.model, input_data=self.visible_batch(), verbose=0)
        return tuple(layer.class_name for layer in info.summary_list if layer.is_leaf_layer)

    def visible_batch(self) -> Tensor:
        """Return the first visible images as the student's model takes them, one batch."""
        return self._visible.first(self.model.batch_size)

    def agrees(self, outputs: Tensor) -> bool:
        """Whether the lifted model gives what the live one gave, (n, 10), on the first n visible images."""
        ours = self._visible_scores[: len(outputs)].double()
        if not outputs.numel() or ours.shape != outputs.shape:
            return False
        return bool((ours - outputs.double()).abs().max() <= TOLERANCE * (1 + outputs.double().abs().max()))

    @cached_property
    def _visible_scores(self) -> Tensor:
        return self._visible.scores(self.model)


def _figures(scores: Tensor, labels: Tensor) -> Figures:
    """Measure scores (N, 10); a model that gives any other number of scores is right about no image."""
    if scores.shape != (len(labels), CLASSES):
        return Figures(0.0, 0.0)
    counts = confusion(scores.argmax(1), labels, CLASSES)
    return Figures(float(accuracy(counts)), float(macro_f1(counts)))


class Measurements:
    """The models of one submission, lifted and measured."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._measured: dict[str, Measured] = {}
        self._asked: set[str] = set()
        self._lifted: dict[str, LiftedModel] = {}

    def reports(self) -> dict[str, ModelReport]:
        """Return what the report says of each model that was taken."""
        there = [name for name in self._asked if (r := self.evidence.model(name)) and r.parameters is not None]
        return {name: self._report(name) for name in sorted(there)}

    def _report(self, name: str) -> ModelReport:
        measured = self._measured.get(name)
        record = self.evidence.model(name)
        if measured is None:
            return ModelReport(None, None, record.parameters if record else None, (), verified=False)
        return ModelReport(
            round(measured.held_out.accuracy, 4),
            threshold(self.dataset, self.evidence.file.profile) if name == TIGHT else REALLY_TRAINED,
            measured.model.parameters_declared,
            measured.layers,
            verified=True,
        )

    def lifted(self, name: str, *cells: str) -> LiftedModel:
        """Lift `models[name]`; raises `AbsentError` where there is none, `UndecidedError` where no method exports it."""
        record = self.record(name, *cells)
        if not record.method:
            raise UndecidedError(
                say(
                    pl=f'Modelu models["{name}"] nie udało się odczytać jako grafu operacji '
                    f"({record.export_error}); oceni go osoba prowadząca.",
                    en=f'models["{name}"] could not be read as a graph of operations ({record.export_error}); '
                    "a person will judge it.",
                )
            )
        if name not in self._lifted:
            self._lifted[name] = _lift(self.evidence, name)
        return self._lifted[name]

    def training_graph(self, name: str) -> list[LiftedModel]:
        """Return the model as it computes in training, where that could be read too: one or none."""
        record = self.evidence.model(name)
        if record is None or not record.train_graph:
            return []
        try:
            return [lift(self.evidence.model_folder(name), train=True)]
        except EvidenceError:
            return []

    def record(self, name: str, *cells: str) -> ModelRecord:
        """Return the record of a model that is there and gives scores; raises `AbsentError` where not."""
        self._asked.add(name)
        what = f'models["{name}"]'
        record = self.evidence.model(name)
        if record is None:
            probed = next((p for p in self.evidence.file.probed if p.failure), None)
            raise absent(self.evidence, probed.failure if probed else None, what, *cells)
        if record.failure is not None:
            raise absent(self.evidence, record.failure, what, *cells)
        return record

    def of(self, name: str, *cells: str) -> Measured:
        """Measure a model; raises `UndecidedError` unless it provably is the one the notebook trained."""
        if name not in self._measured:
            measured = Measured(self.lifted(name, *cells), self.visible, self.held_out)
            outputs = self.evidence.array("models", name, "outputs.npy")
            if not measured.agrees(torch.from_numpy(np.array(outputs))):
                raise UndecidedError(
                    say(
                        pl=f'Odtworzony models["{name}"] daje na obrazach z testset inne wyniki niż w notebooku; '
                        "oceni go osoba prowadząca.",
                        en=f'The rebuilt models["{name}"] gives other scores on testset than in the notebook; '
                        "a person will judge it.",
                    )
                )
            self._measured[name] = measured
        return self._measured[name]

    @cached_property
    def dataset(self) -> Dataset:
        """The data set the notebook chose."""
        return Dataset(self.evidence.file.dataset or Dataset.FASHION_MNIST)

    @cached_property
    def split(self) -> Split:
        """The profile's images."""
        return load_split(self.dataset, self.evidence.file.profile)

    @cached_property
    def visible(self) -> Pictures:
        """The test images that the notebook saw, through our copy of its transform."""
        return Pictures(self.split.visible, self.transform)

    @cached_property
    def held_out(self) -> Pictures:
        """The test images that it never saw, likewise."""
        return Pictures(self.split.held_out, self.transform)

    @cached_property
    def transform(self) -> ImageTransform:
        """Our copy of the student's image transform; raises `UndecidedError` where it cannot be recovered."""
        record = self.evidence.data()
        if record is None or record.failure is not None:
            raise absent(self.evidence, record.failure if record else None, "testset")
        try:
            return recover(record, self._random, self._seen)
        except UnknownTransformError as error:
            raise UndecidedError(
                say(
                    pl=f"Nie udało się odtworzyć przekształcenia obrazów z testset ({error}), więc dokładności "
                    "nie można uczciwie zmierzyć; oceni ją osoba prowadząca.",
                    en=f"The transform of testset could not be recovered ({error}), so accuracy cannot be measured "
                    "fairly; a person will judge it.",
                )
            ) from error

    @property
    def _random(self) -> Tensor:
        kind = "grey" if self.dataset is Dataset.FASHION_MNIST else "colour"
        return torch.from_numpy(random_images(self.evidence.file.seed, kind))

    @cached_property
    def _seen(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
        return self.evidence.array("transform", "random.npy")


def _lift(evidence: Evidence, name: str) -> LiftedModel:
    try:
        return lift(evidence.model_folder(name))
    except EvidenceError as error:
        raise UndecidedError(
            say(
                pl=f'Modelu models["{name}"] nie udało się odtworzyć ({error}); oceni go osoba prowadząca.',
                en=f'models["{name}"] could not be rebuilt ({error}); a person will judge it.',
            )
        ) from error
