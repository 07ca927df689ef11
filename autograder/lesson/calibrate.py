"""Measures the accuracy thresholds: trains reference and variants over several seeds.

The reference, plausible students and unsound submissions are trained on what each profile lets a submission see, and
measured on the held-out images. Also measured is how much accuracy drops when these images change a little: for
networks that learnt the classes, and for one that memorised the images.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn

from autograder.engine.errors import SplotError
from autograder.engine.report import Profile
from autograder.lesson.datasets import Split, available, load_split
from autograder.lesson.thresholds import PATH, Calibration, Falls, Provenance, Spread, Variant, VariantKind, read, write
from autograder.lesson.transform import change
from reference.data import Dataset, Images
from reference.evaluation import evaluate
from reference.recipe import Optimiser, Recipe
from reference.trainer import train
from reference.zoo import BASELINE, Architecture, Block, Pooling, build


@dataclass(frozen=True)
class TrainingVariant:
    """One variant of Task 3's model to train; a recipe of 0 epochs trains nothing."""

    name: str
    kind: VariantKind
    architecture: Architecture
    recipe: Recipe
    neighbours_labels: bool = False  # each image is trained with its neighbour's label

    @property
    def described(self) -> str:
        """One line for a person."""
        filters = "/".join("+".join(map(str, b.filters)) for b in self.architecture.blocks)
        recipe = self.recipe
        scale = "in [0, 1]" if recipe.std == 1 else "normalised"
        parts = [f"filters {filters}"]
        parts += [f"{self.architecture.pooling} pooling"] * (self.architecture.pooling is not Pooling.NONE)
        parts += ["batch norm"] * self.architecture.batch_norm
        parts += [f"dropout {self.architecture.dropout:g}"] * bool(self.architecture.dropout)
        parts += [f"{recipe.optimiser} {recipe.learning_rate:g}"]
        parts += [f"momentum {recipe.momentum:g}"] * bool(recipe.momentum)
        parts += [f"epochs {recipe.epochs}", f"batches of {recipe.batch_size}", f"images {scale}"]
        parts += ["its neighbour's label"] * self.neighbours_labels
        return ", ".join(parts)


def _two(first: int, second: int) -> Architecture:
    return Architecture(blocks=(Block((first,)), Block((second,))))


def _unit(recipe: Recipe) -> Recipe:
    """Return the recipe without normalisation: images stay in [0, 1]."""
    return replace(recipe, mean=0.0, std=1.0)


def _sgd(rate: float, epochs: int, batch_size: int, momentum: float = 0.0) -> Recipe:
    return Recipe(epochs, batch_size, Optimiser.SGD, rate, momentum)


_STRIDED = Architecture(blocks=(Block((16,), kernel_size=5, stride=2), Block((32,))))
_FOUR = Architecture(blocks=(Block((16, 16)), Block((32, 32))))
_SAME = BASELINE.architecture
_NORMALISED = replace(BASELINE.architecture, batch_norm=True, dropout=0.25)
_POOLED = replace(BASELINE.architecture, pooling=Pooling.MAX)
_STUDENT, _DOUBTFUL, _UNSOUND = VariantKind.STUDENT, VariantKind.DOUBTFUL, VariantKind.UNSOUND

VARIANTS = (
    TrainingVariant("reference", VariantKind.REFERENCE, _SAME, Recipe(epochs=3)),
    TrainingVariant("narrow", _STUDENT, _two(8, 16), _unit(Recipe(epochs=3, batch_size=64))),
    TrainingVariant("wide", _STUDENT, _two(32, 32), Recipe(epochs=2, batch_size=256)),
    TrainingVariant("four convolutions", _STUDENT, _FOUR, Recipe(epochs=2, batch_size=37)),
    TrainingVariant("strided", _STUDENT, _STRIDED, _sgd(0.01, 4, 100, momentum=0.9)),
    TrainingVariant("SGD 0.1", _STUDENT, _SAME, _sgd(0.1, 3, 128)),
    TrainingVariant("SGD 0.01", _STUDENT, _STRIDED, _sgd(0.01, 10, 64)),
    TrainingVariant("Adam 1e-4", _STUDENT, _SAME, Recipe(epochs=3, batch_size=100, learning_rate=1e-4)),
    TrainingVariant("batch norm", _STUDENT, _NORMALISED, _unit(Recipe(epochs=5, batch_size=50))),
    TrainingVariant("max pooling", _STUDENT, _POOLED, _sgd(0.05, 8, 150, momentum=0.9)),
    TrainingVariant("untrained", _UNSOUND, _SAME, Recipe(epochs=0)),
    TrainingVariant("neighbour's labels", _UNSOUND, _STRIDED, Recipe(epochs=3), neighbours_labels=True),
    TrainingVariant("hardly learns", _UNSOUND, _SAME, _sgd(1e-4, 1, 128)),
    TrainingVariant("learns slowly", _DOUBTFUL, _two(8, 16), _sgd(1e-3, 3, 128)),
    TrainingVariant("stops early", _DOUBTFUL, _STRIDED, _sgd(0.01, 1, 128)),
    TrainingVariant("too large a step", _DOUBTFUL, _STRIDED, Recipe(epochs=2, learning_rate=0.03)),
)
HONEST = tuple(subject for subject in VARIANTS if subject.kind in {VariantKind.REFERENCE, VariantKind.STUDENT})
MEMORISING = replace(HONEST[0], name="by heart", recipe=Recipe(epochs=12))  # trained on the held-out images themselves

SEEDS, FEW_SEEDS = 10, 3
SOUND = 0.90
MARGIN = 0.02
VALIDATION = 500


@dataclass(frozen=True)
class Run:
    """One training run; `measured` is its held-out accuracy, or how much of it is lost under the change."""

    subject: TrainingVariant
    profile: Profile
    seed: int
    measured: float

    def __str__(self) -> str:
        return f"{self.subject.name} {self.profile} {self.seed} {self.measured}"


def recalibrate(names: Sequence[str], out: Path | None, seeds: int, *, only_falls: bool) -> Iterator[str]:
    """Measure the thresholds of data sets and write them to `out`, by default our own file; yield a line after each run.

    Without names every data set on this machine is measured, each in about an hour on one core. `seeds` are those of
    each network for `falls`; with `only_falls` all else stays as the file says it. Raises `SplotError` for a data set
    that the grader does not know, or that is not on this machine.
    """
    if unknown := sorted(set(names) - set(Dataset)):
        raise SplotError(f"There is no data set {unknown[0]}; the grader knows {', '.join(Dataset)}.")
    path = out or PATH
    for dataset in map(Dataset, names or [dataset for dataset in Dataset if available(dataset)]):
        found = (read(path) if path.exists() else {}).get(dataset.value)
        if found is None or not only_falls:
            runs = []
            for run in measure(dataset, VARIANTS, SEEDS, FEW_SEEDS):
                runs.append(run)
                yield str(run)
            found = conclude(runs, measured_by(f"splot calibrate {dataset}"))
        falls = []
        for run in measure_falls(dataset, seeds):
            falls.append(run)
            yield str(run)
        command = f"splot calibrate {dataset} --falls --seeds {seeds}"
        found = msgspec.structs.replace(found, falls=conclude_falls(falls, measured_by(command)))
        write(path, (read(path) if path.exists() else {}) | {dataset.value: found})
        yield f"{dataset}: full {found.full}, quick {found.quick}; {path} written."


def measure(dataset: Dataset, subjects: Sequence[TrainingVariant], seeds: int, few: int) -> Iterator[Run]:
    """Yield the runs one by one, `quick` ones, which are short, first.

    The reference and doubtful variants run with `seeds` seeds, the others with `few`.
    """
    for profile in (Profile.QUICK, Profile.FULL):
        parts = load_split(dataset, profile)
        for subject in subjects:
            for seed in range(seeds if subject.kind in {VariantKind.REFERENCE, VariantKind.DOUBTFUL} else few):
                yield Run(subject, profile, seed, accuracy(subject, parts, seed))


def accuracy(subject: TrainingVariant, parts: Split, seed: int) -> float:
    """Train a subject on the images a submission sees; return its accuracy on the held-out ones."""
    model, recipe = train_subject(subject, parts, seed)
    return evaluate(model, parts.held_out, recipe).accuracy


def train_subject(subject: TrainingVariant, parts: Split, seed: int) -> tuple[nn.Module, Recipe]:
    """Train a subject's network; return it with the recipe that says how it sees images."""
    images = parts.train
    height, width = images.images.shape[1:3]
    shape = (3 if images.images.ndim == 4 else 1, height, width)
    model = build(replace(subject.architecture, shape=shape), seed)
    recipe = replace(subject.recipe, seed=seed)
    if recipe.epochs:
        first = Images(parts.visible.images[:VALIDATION], parts.visible.labels[:VALIDATION])
        labels = images.labels.roll(1) if subject.neighbours_labels else images.labels
        train(model, Images(images.images, labels), first, recipe)
    return model, recipe


def conclude(runs: Sequence[Run], measured: Provenance) -> Calibration:
    """Apply the rule in the header of `thresholds.toml` to the runs."""
    reached: dict[TrainingVariant, dict[Profile, dict[int, float]]] = {}
    for run in runs:
        reached.setdefault(run.subject, {}).setdefault(run.profile, {})[run.seed] = run.measured
    variants = []
    for subject, by_profile in reached.items():
        full, quick = (spread([*by_profile[profile].values()]) for profile in (Profile.FULL, Profile.QUICK))
        n = len(by_profile[Profile.FULL])
        variants.append(Variant(subject.name, subject.kind, subject.described, n, full, quick))
    reference = next(variant for variant in variants if variant.kind is VariantKind.REFERENCE)
    lowest = (variant.full.lowest for variant in variants if is_sound(variant, reference))
    # Eight decimals first: 0.72 * 100 is slightly above 72 in floating point, and must not become 73.
    full_threshold = math.floor(round(min(SOUND * reference.full.mean, *lowest) * 100, 8)) / 100
    failed = [
        on_quick + MARGIN
        for by_profile in reached.values()
        for seed, on_quick in by_profile[Profile.QUICK].items()
        if by_profile[Profile.FULL].get(seed, 1.0) < full_threshold
    ]
    quick_threshold = math.ceil(round(max(SOUND * reference.quick.mean, *failed, 0.0) * 100, 8)) / 100
    return Calibration(full_threshold, quick_threshold, measured, tuple(variants))


def is_sound(variant: Variant, reference: Variant) -> bool:
    """Whether a variant reaches nine tenths of the reference's accuracy on `full`, the mean over seeds."""
    return variant.full.mean >= SOUND * reference.full.mean


def measure_falls(dataset: Dataset, seeds: int) -> Iterator[Run]:
    """Train sound variants as a submission is, and the reference on the held-out images; yield what each loses.

    On `quick` every sound variant with its seeds; on `full` the reference with one, to see that more data change little.
    """
    parts = load_split(dataset, Profile.QUICK)
    known = replace(parts, train=parts.held_out)
    for subject in (*HONEST, MEMORISING):
        for seed in range(seeds):
            lost = _lost(subject, known if subject is MEMORISING else parts, seed)
            yield Run(subject, Profile.QUICK, seed, lost)
    yield Run(HONEST[0], Profile.FULL, 0, _lost(HONEST[0], load_split(dataset, Profile.FULL), 0))


def _lost(subject: TrainingVariant, parts: Split, seed: int) -> float:
    model, recipe = train_subject(subject, parts, seed)
    changed = change(parts.held_out, np.random.default_rng(seed))
    some = Images(parts.held_out.images[: len(changed)], parts.held_out.labels[: len(changed)])
    return evaluate(model, some, recipe).accuracy - evaluate(model, changed, recipe).accuracy


def conclude_falls(runs: Sequence[Run], measured: Provenance) -> Falls:
    """Set the limit midway between the loss of honest networks and that of networks trained on the held-out images."""
    losses = [run.measured for run in runs if run.subject != MEMORISING]
    memorised = [run.measured for run in runs if run.subject == MEMORISING]
    limit = round(statistics.fmean((spread(losses).highest, spread(memorised).lowest)), 3)
    return Falls(limit, measured, (len(losses), len(memorised)), spread(losses), spread(memorised))


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample deviation and range of one value or more, to four decimals."""
    mean, std = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(*(round(value, 4) for value in (mean, std, min(values), max(values))))


def measured_by(command: str) -> Provenance:
    """Say by which command, on which machine and when something was measured."""
    processor = "an unnamed processor"
    if torch.cuda.is_available():
        processor = torch.cuda.get_device_name()
    elif (cpuinfo := Path("/proc/cpuinfo")).is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), processor)
    return Provenance(
        command=command,
        machine=f"{processor}, threads: {torch.get_num_threads()}",
        date=datetime.now(UTC).date().isoformat(),
        torch=str(torch.__version__),
    )
