"""Measures models in the judge: rebuilds each, verifies it against the live one, computes accuracy and F1.

The rebuilt model runs in the judge on images the judge prepared. It must first agree with the live one on the images the
student's code saw; then its accuracy is measured on those and on the held-out ones.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from torchinfo import ModelStatistics, summary

from autograder.engine.errors import EvidenceError, GraderError
from autograder.engine.evidence import generator
from autograder.engine.outcomes import AbsentError, UndecidedError, absent
from autograder.engine.part_tracker import Part, PartTracker
from autograder.engine.report import ModelReport, Profile, Status
from autograder.engine.text import printable, say
from autograder.lesson.datasets import EvaluationImages, load_evaluation_images
from autograder.lesson.observations import LessonEvidence, ModelRecord, random_images
from autograder.lesson.thresholds import threshold
from autograder.lesson.transform import ImageSet, ImageTransform, UnknownTransformError, change, recover
from autograder.models import MAX_WEIGHT_BYTES, too_heavy
from autograder.models.rebuild import RebuiltModel, prepare_rebuilding, rebuild_model
from reference.data import CLASSES, Dataset
from reference.evaluation import accuracy, confusion, macro_f1

REQUIRED = ("baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom")  # in their order
ACCURACY_GRADED = "baseline"  # the one model whose accuracy is itself worth points
REALLY_TRAINED = 0.30  # what every other model must reach
TOLERANCE = 1e-3
COARSE_TOLERANCE = 2e-2
"""For networks that compute in 16 bits: a GPU and a processor round those in different places."""
SIXTEEN_BITS = frozenset({torch.bfloat16, torch.float16})
SEED = 6


def prepare() -> None:
    """Do once what each submission's process would do by itself: imports, and the images that models are measured on."""
    prepare_rebuilding()
    for dataset in Dataset:
        with suppress(GraderError):  # a submission that chose it is told so
            load_evaluation_images(dataset, Profile.QUICK)


@dataclass(frozen=True, eq=False)
class ModelScores:
    """A model's scores (N, 10) on some images, with accuracy and macro F1 as fractions."""

    scores: Tensor
    accuracy: float
    f1: float


class MeasuredModel:
    """One rebuilt model with its measurements on a profile's images, each computed on first use."""

    def __init__(self, model: RebuiltModel, visible: ImageSet, held_out: ImageSet, *, from_gpu: bool = False) -> None:
        self.model = model
        self._from_gpu = from_gpu
        self._visible = visible
        self._held_out = held_out

    @cached_property
    def held_out(self) -> ModelScores:
        """On the images that never entered the sandbox."""
        return _figures(self._held_out.scores(self.model), self._held_out.labels)

    @cached_property
    def visible(self) -> ModelScores:
        """On the same `testset` images that the notebook measured its results on."""
        return _figures(self._visible.scores(self.model), self._visible.labels)

    @cached_property
    def summary(self) -> ModelStatistics:
        """Torchinfo's summary of the model."""
        return summary(self.model, input_data=self.visible_batch(), verbose=0)

    def visible_batch(self) -> Tensor:
        """Return the first visible images as the student's model takes them, one batch."""
        return self._visible.first(self.model.batch_size)

    def agrees(self, outputs: Tensor) -> bool:
        """Whether the rebuilt model gives what the live one gave, (n, 10), on the first n visible images."""
        coarse = self._from_gpu and any(SIXTEEN_BITS & {step.dtype, step.autocast} for step in self.model.steps)
        tolerance = COARSE_TOLERANCE if coarse else TOLERANCE
        return bool(outputs.numel()) and _close(self.visible.scores[: len(outputs)], outputs, tolerance)

    def robustness(self, changed: ImageSet) -> tuple[float, float]:
        """Return the accuracies on the first n held-out images, unchanged and as `changed`."""
        n = len(changed.labels)
        before = _figures(self.held_out.scores[:n], self._held_out.labels[:n])
        return before.accuracy, _figures(changed.scores(self.model), changed.labels).accuracy


def _figures(scores: Tensor, labels: Tensor) -> ModelScores:
    """Measure scores (N, 10); a model that gives any other number of scores is right about no image."""
    if scores.shape != (len(labels), CLASSES):
        return ModelScores(scores, 0.0, 0.0)
    counts = confusion(scores.argmax(1), labels, CLASSES)
    return ModelScores(scores, float(accuracy(counts)), float(macro_f1(counts)))


def _close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Whether scores are alike, to rounding; NaN is like NaN, and an infinity like itself."""
    if ours.shape != theirs.shape:
        return False
    ours, theirs = ours.double(), theirs.double()
    finite = theirs.isfinite()
    size = theirs[finite].abs().amax() if finite.any() else 0.0
    return torch.allclose(ours, theirs, rtol=0, atol=float(tolerance * (1 + size)), equal_nan=True)


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


class Measurements:
    """The models of one submission, rebuilt and measured; `watch` is notified of the model being measured.

    `verified` holds the models that were measured and agree with the notebook's own.
    """

    def __init__(self, evidence: LessonEvidence, watch: PartTracker | None = None) -> None:
        self.evidence = evidence
        self.watch = watch or PartTracker()
        self.verified: dict[str, MeasuredModel] = {}
        self._asked: set[str] = set()
        self._rebuilt: dict[str, RebuiltModel] = {}
        self._training: dict[str, tuple[list[RebuiltModel], bool]] = {}

    def reports(self) -> dict[str, ModelReport]:
        """Return what the report says of each model that was taken."""
        reports = {}
        for name in sorted(self._asked):
            record, measured = self.evidence.model(name), self.verified.get(name)
            if record is None or record.parameters is None:
                continue
            if measured is None:
                reports[name] = ModelReport(None, None, record.parameters, (), verified=False)
                continue
            with self.watch.at(Part(is_model=True, name=name)):
                reports[name] = ModelReport(
                    round(measured.held_out.accuracy, 4),
                    threshold(self.dataset, self.evidence.file.profile) if name == ACCURACY_GRADED else REALLY_TRAINED,
                    measured.model.parameters_declared,
                    tuple(layer.class_name for layer in measured.summary.summary_list if layer.is_leaf_layer),
                    verified=True,
                )
        return reports

    def record(self, name: str, *cells: str) -> ModelRecord:
        """Return the record of a model that is there and is not set aside; raises `AbsentError` where not."""
        self._asked.add(name)
        record = self.evidence.model(name)
        if record is None or record.failure is not None:
            probed = next((p for p in self.evidence.file.probed if p.failure), None)
            failure = record.failure if record else probed.failure if probed else None
            raise absent(self.evidence, failure, f'models["{name}"]', *cells)
        self.watch.require(Part(is_model=True, name=name))
        return record

    def rebuilt(self, name: str, *cells: str) -> RebuiltModel:
        """Rebuild `models[name]`; raises `AbsentError` where it gives no scores, `UndecidedError` where it cannot be rebuilt."""
        record = self.record(name, *cells)
        what = f'models["{name}"]'
        self._require_scores(record, what, *cells)
        if not record.method:
            raise UndecidedError(
                say(
                    pl=f"Modelu {what} nie udało się odczytać jako grafu operacji ({record.export_error}); "
                    "oceni go osoba prowadząca.",
                    en=f"{what} could not be read as a graph of operations ({record.export_error}); a person will judge it.",
                )
            )
        if name not in self._rebuilt:
            with self.watch.at(Part(is_model=True, name=name)):
                try:
                    model = self._rebuild(name)
                except EvidenceError as error:
                    raise UndecidedError(
                        say(
                            pl=f"Modelu {what} nie udało się odtworzyć; oceni go osoba prowadząca. Powód: {error}",
                            en=f"{what} could not be rebuilt; a person will judge it. Why: {error}",
                        )
                    ) from error
                if sum(each.weight_bytes for each in (model, *self._rebuilt.values())) > MAX_WEIGHT_BYTES:
                    raise too_heavy(what)
                self._rebuilt[name] = model
        return self._rebuilt[name]

    def _require_scores(self, record: ModelRecord, what: str, *cells: str) -> None:
        if record.returned:
            returned = printable(record.returned, 100)
            raise AbsentError(
                Status.ERROR,
                say(
                    pl=f"{what} zwraca {returned}, a powinien zwracać jeden tensor o kształcie (B, 10): po jednym wierszu "
                    "wyników na obraz. Popraw return w forward().",
                    en=f"{what} returns {returned}; it should return one tensor of shape (B, 10), one row of scores per "
                    "image. Mend the return of forward().",
                ),
            )
        if record.unscored is not None:
            raise absent(self.evidence, record.unscored, f"{what}(x)", *cells)

    def _rebuild(self, name: str, *, train: bool = False) -> RebuiltModel:
        model = rebuild_model(self.evidence.folder / "models" / name, train=train)
        model.run_context = partial(self.watch.at, Part(is_model=True, name=name))
        return model

    def parameters(self, name: str, *cells: str) -> int:
        """Return the model's parameter count; the notebook's own count if it cannot be rebuilt."""
        record = self.record(name, *cells)
        try:
            return self.rebuilt(name, *cells).parameters_declared
        except (AbsentError, UndecidedError):
            if record.parameters is None:
                raise
            return record.parameters

    def training_graph(self, name: str) -> list[RebuiltModel]:
        """Return the model as it computes in training, where that could be read too: one or none.

        It is the model's only if, dropout and batch statistics aside, it computes what the model itself does; else it
        proves nothing, and `doubts_training` says so.
        """
        return self._in_training(name)[0]

    def doubts_training(self, name: str) -> bool:
        """Whether the training graph does not match the model: random other than by dropout, or forged."""
        return self._in_training(name)[1]

    def _in_training(self, name: str) -> tuple[list[RebuiltModel], bool]:
        if name not in self._training:
            record = self.evidence.model(name)
            trained: list[RebuiltModel] = []
            if record is not None and record.train_graph:
                with suppress(EvidenceError), self.watch.at(Part(is_model=True, name=name)):
                    trained = [self._rebuild(name, train=True)]
            doubted = any(not same_in_eval(graph, self.rebuilt(name)) for graph in trained)
            self._training[name] = [] if doubted else trained, doubted
        return self._training[name]

    def model(self, name: str, *cells: str) -> MeasuredModel:
        """Return a model to measure; raises `UndecidedError` unless it provably is the one the notebook trained."""
        if name not in self.verified:
            rebuilt, from_gpu = self.rebuilt(name, *cells), self.evidence.file.gpu
            measured = MeasuredModel(rebuilt, self.visible, self.held_out, from_gpu=from_gpu)
            outputs = self.evidence.array("models", name, "outputs.npy")
            if outputs.ndim != 2 or outputs.dtype.kind not in "biuf" or outputs.dtype.itemsize > 8:
                raise EvidenceError(
                    say(
                        pl=f"outputs.npy modelu {name} zawiera {outputs.dtype} o kształcie {outputs.shape}.",
                        en=f"outputs.npy of {name} holds {outputs.dtype} of shape {outputs.shape}.",
                    )
                )
            if not measured.agrees(torch.from_numpy(outputs.astype(np.float64))):
                raise UndecidedError(
                    say(
                        pl=f'Odtworzony model models["{name}"] daje na obrazach z testset inne wyniki niż w notebooku; '
                        "oceni go osoba prowadząca.",
                        en=f'The rebuilt models["{name}"] gives other scores on testset than in the notebook; '
                        "a person will judge it.",
                    ),
                    more_data=not np.isfinite(outputs).all(),  # its training diverged, which more data may prevent
                )
            self.verified[name] = measured
        return self.verified[name]

    @cached_property
    def dataset(self) -> Dataset:
        """The data set the notebook chose."""
        return Dataset(self.evidence.file.dataset or Dataset.FASHION_MNIST)

    @cached_property
    def images(self) -> EvaluationImages:
        """The profile's images as they are."""
        return load_evaluation_images(self.dataset, self.evidence.file.profile)

    @cached_property
    def visible(self) -> ImageSet:
        """The test images that the notebook saw, through our copy of its transform."""
        return ImageSet(self.images.visible, self.transform)

    @cached_property
    def held_out(self) -> ImageSet:
        """The test images that it never saw, likewise."""
        return ImageSet(self.images.held_out, self.transform)

    @cached_property
    def changed(self) -> ImageSet:
        """The first held-out images, changed in a way that the submission cannot predict."""
        return ImageSet(change(self.images.held_out, generator(self.evidence.file.seed, "change")), self.transform)

    @cached_property
    def transform(self) -> ImageTransform:
        """Our copy of the student's image transform; raises `UndecidedError` where it cannot be recovered."""
        record = self.evidence.data()
        if record is None or record.failure is not None:
            raise absent(self.evidence, record.failure if record else None, "testset")
        kind = "grey" if self.dataset is Dataset.FASHION_MNIST else "colour"
        sent = torch.from_numpy(random_images(self.evidence.file.seed, kind))
        try:
            return recover(record, sent, self.evidence.array("transform", "random.npy"))
        except UnknownTransformError as error:
            raise UndecidedError(
                say(
                    pl=f"Nie udało się odtworzyć transformacji obrazów z testset ({error}), więc dokładności "
                    "nie można rzetelnie zmierzyć; oceni ją osoba prowadząca.",
                    en=f"The transform of testset could not be recovered ({error}), so accuracy cannot be measured "
                    "fairly; a person will judge it.",
                )
            ) from error
