"""Measures the accuracy thresholds: trains reference and variants over several seeds.

The reference, plausible students and unsound submissions are trained on what each profile lets a submission see, and
measured on the held-out images. Also measured is how much accuracy drops when these images change a little: for
networks that learnt the classes, and for one that memorised the images; and what weak variants reach with the same seed
on each profile.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn

from autograder.engine.errors import SplotError
from autograder.engine.report import Profile
from autograder.lesson.datasets import Split, available, load_split
from autograder.lesson.growth import MARGIN, conclude_growth
from autograder.lesson.thresholds import PATH, Calibration, Falls, Provenance, Spread, Variant, VariantKind, read, write
from autograder.lesson.transform import change
from autograder.lesson.variants import HONEST, MEMORISING, VARIANTS, WEAK, Run, TrainingVariant
from reference.data import Dataset, Images
from reference.evaluation import evaluate
from reference.recipe import Recipe
from reference.trainer import train
from reference.zoo import build

SEEDS, FEW_SEEDS = 10, 3
SOUND = 0.90
PROFILES = (Profile.QUICK, Profile.MEDIUM, Profile.FULL)
VALIDATION = 500


def recalibrate(
    names: Sequence[str], out: Path | None, seeds: int, *, only_falls: bool = False, only_growth: bool = False
) -> Iterator[str]:
    """Measure the thresholds of data sets and write them to `out`, by default our own file; yield a line after each run.

    Without names every data set on this machine is measured, each in more than an hour on one core. `seeds` are those of
    each network for `falls` and `growth`; where only these are asked for, all else stays as the file says it. Raises
    `SplotError` for a data set that the grader does not know, or that is not on this machine.
    """
    if unknown := sorted(set(names) - set(Dataset)):
        raise SplotError(f"There is no data set {unknown[0]}; the grader knows {', '.join(Dataset)}.")
    path, part = out or PATH, only_falls or only_growth
    for dataset in map(Dataset, names or [dataset for dataset in Dataset if available(dataset)]):
        found = (read(path) if path.exists() else {}).get(dataset.value)
        command = f"splot calibrate {dataset}"
        if found is None or not part:
            runs = []
            for run in measure(dataset, VARIANTS, SEEDS, FEW_SEEDS):
                runs.append(run)
                yield str(run)
            found = conclude(runs, measured_by(command))
        if only_falls or not part:
            falls = []
            for run in measure_falls(dataset, seeds):
                falls.append(run)
                yield str(run)
            by = measured_by(f"{command} --falls --seeds {seeds}")
            found = msgspec.structs.replace(found, falls=conclude_falls(falls, by))
        if only_growth or not part:
            paired = []
            for run in measure_growth(dataset, WEAK, seeds):
                paired.append(run)
                yield str(run)
            by = measured_by(f"{command} --growth --seeds {seeds}")
            found = msgspec.structs.replace(found, growth=conclude_growth(paired, found, training_images(dataset), by))
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


def measure_growth(dataset: Dataset, subjects: Sequence[TrainingVariant], seeds: int) -> Iterator[Run]:
    """Yield the runs of each subject on every profile, with the same seeds; seed by seed, so that a part is of use."""
    parts = {profile: load_split(dataset, profile) for profile in PROFILES}
    for seed in range(seeds):
        for subject in subjects:
            for profile in PROFILES:
                yield Run(subject, profile, seed, accuracy(subject, parts[profile], seed))


def training_images(dataset: Dataset) -> dict[Profile, int]:
    """Return how many images each profile trains on, the smallest first."""
    return {profile: len(load_split(dataset, profile).train) for profile in PROFILES}


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
