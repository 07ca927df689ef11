"""How accurate a sound submission is: thresholds measured over seeds, never guessed.

The reference, plausible students and unsound submissions are trained on what each profile lets a
submission see, and measured on the images that only the grader has.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

from autograder.calibration.profiles import Split, load_split
from autograder.calibration.thresholds import Calibration, Kind, Measured, Spread, Variant
from autograder.calibration.variants import VARIANTS, Labels, Subject
from autograder.report import Profile
from reference.data import Dataset, Images
from reference.evaluation import evaluate
from reference.recipe import Recipe
from reference.trainer import train
from reference.zoo import build

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
