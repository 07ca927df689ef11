"""What the judge measures of a model itself: never what the notebook says of it.

The lifted model runs in the judge on images the judge prepared. It must first agree with the live one on the images the
student's code saw; then its accuracy is measured on those and on the held-out ones.
"""

from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence import generator
from autograder.engine.outcomes import AbsentError, UndecidedError, absent
from autograder.engine.report import ModelReport, Status
from autograder.engine.text import printable, say
from autograder.engine.watch import Part, Watch
from autograder.lesson.changed import IMAGES, change
from autograder.lesson.data import Split, load_split
from autograder.lesson.evidence import LessonEvidence
from autograder.lesson.measured import Measured, Pictures, same_in_eval
from autograder.lesson.probes import random_images
from autograder.lesson.records import ModelRecord
from autograder.lesson.thresholds import threshold
from autograder.lesson.transform import ImageTransform, UnknownTransformError, recover
from autograder.models import MAX_WEIGHT_BYTES, too_heavy
from autograder.models.rebuild import RebuiltModel, rebuild_model
from reference.data import Dataset, Images

REQUIRED = ("baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom")  # in their order
TIGHT = "baseline"  # the one model whose accuracy is itself worth points
REALLY_TRAINED = 0.30  # what every other model must reach


class Measurements:
    """The models of one submission, lifted and measured; `watch` is told which is being worked on."""

    def __init__(self, evidence: LessonEvidence, watch: Watch | None = None) -> None:
        self.evidence = evidence
        self.watch = watch or Watch()
        self._measured: dict[str, Measured] = {}
        self._asked: set[str] = set()
        self._lifted: dict[str, RebuiltModel] = {}
        self._training: dict[str, RebuiltModel | None] = {}
        self._doubted: dict[str, bool] = {}

    def reports(self) -> dict[str, ModelReport]:
        """Return what the report says of each model that was taken."""
        there = [name for name in self._asked if (r := self.evidence.model(name)) and r.parameters is not None]
        return {name: self._report(name) for name in sorted(there)}

    def _report(self, name: str) -> ModelReport:
        with self.watch.at(_part(name)):
            return self._figures(name)

    def _figures(self, name: str) -> ModelReport:
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

    @property
    def verified(self) -> dict[str, Measured]:
        """The models that provably are the notebook's own, as far as they were measured."""
        return dict(self._measured)

    def lifted(self, name: str, *cells: str) -> RebuiltModel:
        """Lift `models[name]`; raises `AbsentError` where it gives no scores, `UndecidedError` where no method exports it."""
        record = self.record(name, *cells)
        if record.unscored is not None or record.returned:
            raise self._unscored(record, *cells)
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
            with self.watch.at(_part(name)):
                self._lifted[name] = self._weighed(name, self._watched(name, _lift(self.evidence, name)))
        return self._lifted[name]

    def _unscored(self, record: ModelRecord, *cells: str) -> Exception:
        """Say why a model that is there gives no scores."""
        what = f'models["{record.name}"]'
        if not record.returned:
            return absent(self.evidence, record.unscored, f"{what}(x)", *cells)
        said = printable(record.returned, 100)
        return AbsentError(
            Status.ERROR,
            say(
                pl=f"{what} zwraca {said}, a powinien zwracać jeden tensor o kształcie (B, 10): po jednym wierszu wyników na "
                "obraz. Popraw return w forward().",
                en=f"{what} returns {said}; it should return one tensor of shape (B, 10), one row of scores per image. "
                "Mend the return of forward().",
            ),
        )

    def parameters(self, name: str, *cells: str) -> int:
        """Return how many parameters the model has; of one that cannot be rebuilt, as many as the notebook counted."""
        record = self.record(name, *cells)
        try:
            return self.lifted(name, *cells).parameters_declared
        except (AbsentError, UndecidedError):
            if record.parameters is None:
                raise
            return record.parameters

    def _weighed(self, name: str, model: RebuiltModel) -> RebuiltModel:
        if sum(each.weight_bytes for each in (model, *self._lifted.values())) > MAX_WEIGHT_BYTES:
            raise too_heavy(f'models["{name}"]')
        return model

    def _watched(self, name: str, model: RebuiltModel) -> RebuiltModel:
        model.around = partial(self.watch.at, _part(name))
        return model

    def training_graph(self, name: str) -> list[RebuiltModel]:
        """Return the model as it computes in training, where that could be read too: one or none.

        It is the model's only if, dropout and batch statistics aside, it computes what the model itself does; else it
        proves nothing, and `doubts_training` says so.
        """
        trained = self._lift_training(name)
        return [] if trained is None or self.doubts_training(name) else [trained]

    def doubts_training(self, name: str) -> bool:
        """Whether there is a training graph that is not of the model: random in other ways than dropout, or made up."""
        trained = self._lift_training(name)
        if trained is None:
            return False
        if name not in self._doubted:
            self._doubted[name] = not same_in_eval(trained, self.lifted(name))
        return self._doubted[name]

    def _lift_training(self, name: str) -> RebuiltModel | None:
        record = self.evidence.model(name)
        if record is None or not record.train_graph:
            return None
        if name not in self._training:
            try:
                with self.watch.at(_part(name)):
                    self._training[name] = self._watched(
                        name, rebuild_model(self.evidence.model_folder(name), train=True)
                    )
            except EvidenceError:
                self._training[name] = None
        return self._training[name]

    def record(self, name: str, *cells: str) -> ModelRecord:
        """Return the record of a model that is there and is not set aside; raises `AbsentError` where not."""
        self._asked.add(name)
        what = f'models["{name}"]'
        record = self.evidence.model(name)
        if record is None:
            probed = next((p for p in self.evidence.file.probed if p.failure), None)
            raise absent(self.evidence, probed.failure if probed else None, what, *cells)
        if record.failure is not None:
            raise absent(self.evidence, record.failure, what, *cells)
        self.watch.require(_part(name))
        return record

    def of(self, name: str, *cells: str) -> Measured:
        """Measure a model; raises `UndecidedError` unless it provably is the one the notebook trained."""
        if name not in self._measured:
            measured = Measured(self.lifted(name, *cells), self.visible, self.held_out)
            if not measured.agrees(self._outputs(name)):
                raise UndecidedError(
                    say(
                        pl=f'Odtworzony model models["{name}"] daje na obrazach z testset inne wyniki niż w notebooku; '
                        "oceni go osoba prowadząca.",
                        en=f'The rebuilt models["{name}"] gives other scores on testset than in the notebook; '
                        "a person will judge it.",
                    )
                )
            self._measured[name] = measured
        return self._measured[name]

    def _outputs(self, name: str) -> Tensor:
        """Return the live model's scores, (n, 10) float64; raises `EvidenceError` where they are not plain floats."""
        outputs = self.evidence.array("models", name, "outputs.npy")
        if outputs.ndim != 2 or outputs.dtype.kind not in "biuf" or outputs.dtype.itemsize > 8:
            raise EvidenceError(
                say(
                    pl=f"outputs.npy modelu {name} zawiera {outputs.dtype} o kształcie {outputs.shape}.",
                    en=f"outputs.npy of {name} holds {outputs.dtype} of shape {outputs.shape}.",
                )
            )
        return torch.from_numpy(outputs.astype(np.float64))

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
    def changed(self) -> Pictures:
        """The first of the held-out images under a change that this submission could not foresee."""
        some = Images(self.split.held_out.images[:IMAGES], self.split.held_out.labels[:IMAGES])
        return Pictures(change(some, generator(self.evidence.file.seed, "change")), self.transform)

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
                    pl=f"Nie udało się odtworzyć transformacji obrazów z testset ({error}), więc dokładności "
                    "nie można rzetelnie zmierzyć; oceni ją osoba prowadząca.",
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


def _part(name: str) -> Part:
    return Part(is_model=True, name=name)


def _lift(evidence: LessonEvidence, name: str) -> RebuiltModel:
    try:
        return rebuild_model(evidence.model_folder(name))
    except EvidenceError as error:
        raise UndecidedError(
            say(
                pl=f'Modelu models["{name}"] nie udało się odtworzyć; oceni go osoba prowadząca. Powód: {error}',
                en=f'models["{name}"] could not be rebuilt; a person will judge it. Why: {error}',
            )
        ) from error
