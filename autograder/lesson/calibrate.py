"""How accurate a sound submission is: thresholds measured over seeds, never guessed.

The reference, plausible students and unsound submissions are trained on what each profile lets a
submission see, and measured on the images that only the grader has.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import torch
from torch import nn

from autograder.engine.report import Profile
from autograder.lesson.data import Split, load_split
from autograder.lesson.thresholds import Calibration, Kind, Measured, Spread, Variant
from reference.data import Dataset, Images
from reference.evaluation import evaluate
from reference.recipe import Optimiser, Recipe
from reference.trainer import train
from reference.zoo import BASELINE, Architecture, Block, Pooling, build


class Labels(StrEnum):
    """Which label an image is trained with."""

    TRUE = "its own label"
    NEIGHBOUR = "its neighbour's label"


@dataclass(frozen=True)
class Subject:
    """One way to do Task 3. A recipe of 0 epochs trains nothing."""

    name: str
    kind: Kind
    architecture: Architecture
    recipe: Recipe
    labels: Labels = Labels.TRUE

    @property
    def described(self) -> str:
        """One line for a person."""
        filters = "/".join("+".join(map(str, b.filters)) for b in self.architecture.blocks)
        recipe = self.recipe
        scale = "in [0, 1]" if recipe.std == 1 else "normalised"
        words = [f"filters {filters}"]
        words += [f"{self.architecture.pooling} pooling"] * (self.architecture.pooling is not Pooling.NONE)
        words += ["batch norm"] * self.architecture.batch_norm
        words += [f"dropout {self.architecture.dropout:g}"] * bool(self.architecture.dropout)
        words += [f"{recipe.optimiser} {recipe.learning_rate:g}"]
        words += [f"momentum {recipe.momentum:g}"] * bool(recipe.momentum)
        words += [f"epochs {recipe.epochs}", f"batches of {recipe.batch_size}", f"images {scale}"]
        words += [self.labels.value] * (self.labels is not Labels.TRUE)
        return ", ".join(words)


def _two(first: int, second: int) -> Architecture:
    return Architecture(blocks=(Block((first,)), Block((second,))))


def _unit(recipe: Recipe) -> Recipe:
    """Leave the images in [0, 1]."""
    return replace(recipe, mean=0.0, std=1.0)


def _sgd(rate: float, epochs: int, batch_size: int, momentum: float = 0.0) -> Recipe:
    return Recipe(epochs, batch_size, Optimiser.SGD, rate, momentum)


_STRIDED = Architecture(blocks=(Block((16,), kernel_size=5, stride=2), Block((32,))))
_FOUR = Architecture(blocks=(Block((16, 16)), Block((32, 32))))
_SAME = BASELINE.architecture
_NORMALISED = replace(BASELINE.architecture, batch_norm=True, dropout=0.25)
_POOLED = replace(BASELINE.architecture, pooling=Pooling.MAX)
_STUDENT, _DOUBTFUL, _UNSOUND = Kind.STUDENT, Kind.DOUBTFUL, Kind.UNSOUND

VARIANTS = (
    Subject("reference", Kind.REFERENCE, _SAME, Recipe(epochs=3)),
    Subject("narrow", _STUDENT, _two(8, 16), _unit(Recipe(epochs=3, batch_size=64))),
    Subject("wide", _STUDENT, _two(32, 32), Recipe(epochs=2, batch_size=256)),
    Subject("four convolutions", _STUDENT, _FOUR, Recipe(epochs=2, batch_size=37)),
    Subject("strided", _STUDENT, _STRIDED, _sgd(0.01, 4, 100, momentum=0.9)),
    Subject("SGD 0.1", _STUDENT, _SAME, _sgd(0.1, 3, 128)),
    Subject("SGD 0.01", _STUDENT, _STRIDED, _sgd(0.01, 10, 64)),
    Subject("Adam 1e-4", _STUDENT, _SAME, Recipe(epochs=3, batch_size=100, learning_rate=1e-4)),
    Subject("batch norm", _STUDENT, _NORMALISED, _unit(Recipe(epochs=5, batch_size=50))),
    Subject("max pooling", _STUDENT, _POOLED, _sgd(0.05, 8, 150, momentum=0.9)),
    Subject("untrained", _UNSOUND, _SAME, Recipe(epochs=0)),
    Subject("neighbour's labels", _UNSOUND, _STRIDED, Recipe(epochs=3), Labels.NEIGHBOUR),
    Subject("hardly learns", _UNSOUND, _SAME, _sgd(1e-4, 1, 128)),
    Subject("learns slowly", _DOUBTFUL, _two(8, 16), _sgd(1e-3, 3, 128)),
    Subject("stops early", _DOUBTFUL, _STRIDED, _sgd(0.01, 1, 128)),
    Subject("too large a step", _DOUBTFUL, _STRIDED, Recipe(epochs=2, learning_rate=0.03)),
)


SEEDS, FEW_SEEDS = 10, 3
SOUND = 0.90
MARGIN = 0.02
VALIDATION = 500


@dataclass(frozen=True)
class Run:
    """One training: its accuracy on the held-out images, a fraction."""

    subject: Subject
    profile: Profile
    seed: int
    accuracy: float


def calibrate(
    dataset: Dataset,
    seeds: int = SEEDS,
    few: int = FEW_SEEDS,
    report: Callable[[Run], None] | None = None,
) -> Calibration:
    """Train every variant with its seeds on both profiles, and draw the thresholds from it.

    The reference and what is doubtful get `seeds` of them, the others a `few`.
    Takes about an hour on one core. `report` is called after each run. Raises `GraderError`
    where the data set is not on this machine.
    """
    runs = []
    for run in measure(dataset, VARIANTS, seeds, few):
        runs.append(run)
        if report is not None:
            report(run)
    return conclude(runs, measured_by(f"splot calibrate {dataset}"))


def measure(dataset: Dataset, subjects: Sequence[Subject], seeds: int, few: int) -> Iterator[Run]:
    """Yield the runs one by one, `quick` ones, which are short, first."""
    for profile in (Profile.QUICK, Profile.FULL):
        parts = load_split(dataset, profile)
        for subject in subjects:
            for seed in range(seeds if subject.kind in {Kind.REFERENCE, Kind.DOUBTFUL} else few):
                yield Run(subject, profile, seed, accuracy(subject, parts, seed))


def accuracy(subject: Subject, parts: Split, seed: int) -> float:
    """Train a subject on what a submission sees; return its accuracy on what it does not."""
    model, recipe = train_subject(subject, parts, seed)
    return evaluate(model, parts.held_out, recipe).accuracy


def train_subject(subject: Subject, parts: Split, seed: int) -> tuple[nn.Module, Recipe]:
    """Train a subject's network; return it with the recipe that says how it sees images."""
    model = build(replace(subject.architecture, shape=_shape(parts.train)), seed)
    recipe = replace(subject.recipe, seed=seed)
    if recipe.epochs:
        first = Images(parts.visible.images[:VALIDATION], parts.visible.labels[:VALIDATION])
        train(model, _as_seen(parts.train, subject.labels), first, recipe)
    return model, recipe


def conclude(runs: Sequence[Run], measured: Measured) -> Calibration:
    """Apply the rule in the header of `thresholds.toml` to the runs."""
    subjects = tuple(dict.fromkeys(run.subject for run in runs))
    variants = tuple(_variant(subject, runs) for subject in subjects)
    reference = next(variant for variant in variants if variant.kind is Kind.REFERENCE)
    sound = [variant for variant in variants if is_sound(variant, reference)]
    full = _down(min(SOUND * reference.full.mean, *(variant.full.lowest for variant in sound)))
    failed = [reached for subject in subjects for reached in _failing_quick(subject, runs, full)]
    quick = max(SOUND * reference.quick.mean, *(reached + MARGIN for reached in failed), 0.0)
    # Eight decimals first: 0.72 * 100 is a hair above 72, and must not become 73.
    return Calibration(full, math.ceil(round(quick * 100, 8)) / 100, measured, variants)


def is_sound(variant: Variant, reference: Variant) -> bool:
    """Whether a variant reaches nine tenths of the reference's accuracy on `full`, the mean over seeds."""
    return variant.full.mean >= SOUND * reference.full.mean


def _down(accuracy: float) -> float:
    return math.floor(round(accuracy * 100, 8)) / 100


def _failing_quick(subject: Subject, runs: Sequence[Run], full: float) -> list[float]:
    """Accuracies on `quick` of the seeds whose model was below the threshold on `full`."""
    fell = {seed for seed, reached in _by_seed(subject, Profile.FULL, runs) if reached < full}
    return [reached for seed, reached in _by_seed(subject, Profile.QUICK, runs) if seed in fell]


def _by_seed(subject: Subject, profile: Profile, runs: Sequence[Run]) -> list[tuple[int, float]]:
    return [(run.seed, run.accuracy) for run in runs if run.subject == subject and run.profile is profile]


def _variant(subject: Subject, runs: Sequence[Run]) -> Variant:
    full, quick = (_by_seed(subject, profile, runs) for profile in (Profile.FULL, Profile.QUICK))
    return Variant(
        name=subject.name,
        kind=subject.kind,
        recipe=subject.described,
        n=len(full),
        full=spread([reached for _, reached in full]),
        quick=spread([reached for _, reached in quick]),
    )


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample deviation and range of one value or more, to four decimals."""
    mean, std = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(*(round(value, 4) for value in (mean, std, min(values), max(values))))


def _as_seen(images: Images, labels: Labels) -> Images:
    """Pair each image with its neighbour's label, where the subject makes that mistake."""
    return images if labels is Labels.TRUE else Images(images.images, images.labels.roll(1))


def _shape(images: Images) -> tuple[int, int, int]:
    height, width = images.images.shape[1:3]
    return (3 if images.images.ndim == 4 else 1, height, width)


def measured_by(command: str) -> Measured:
    """Say by which command, on which machine and when something was measured."""
    return Measured(
        command=command,
        machine=f"{_processor()}, threads: {torch.get_num_threads()}",
        date=datetime.now(UTC).date().isoformat(),
        torch=str(torch.__version__),
    )


def _processor() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "an unnamed processor"
