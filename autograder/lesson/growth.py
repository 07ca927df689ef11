"""The rule by which a verdict on less than all data is final, drawn from models trained on all profiles with the same seed.

`thresholds.toml` states it, with the error rates that are computed here.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from autograder.engine.report import Profile
from autograder.lesson.measure import REALLY_TRAINED
from autograder.lesson.thresholds import Calibration, Growth, Levels, PairedVariant, Provenance
from autograder.lesson.variants import Run, TrainingVariant
from reference.data import CLASSES

MARGIN = 0.02
FAR = 0.05  # below the lowest that came to pass: the way up from few images differs more than the last steps
EARLY = (Profile.QUICK, Profile.MEDIUM)


def conclude_growth(
    runs: Iterable[Run], found: Calibration, images: Mapping[Profile, int], measured: Provenance
) -> Growth:
    """Draw the levels from runs on all three profiles; `images` are what each profile trains on.

    A seed that lacks a profile does not count.
    """
    variants = _paired(runs)
    drawn = _levels(variants, found)
    wrong = wrong_unseen = 0
    costs = []
    for variant in variants:
        unseen = _levels([other for other in variants if other is not variant], found)
        for reached in _seeds(variant):
            passes = reached[Profile.FULL] >= found.full
            wrong += settled_on(reached, drawn, found.full)[0] != passes
            wrong_unseen += settled_on(reached, unseen, found.full)[0] != passes
            if reached[Profile.QUICK] < drawn[Profile.QUICK].passes:
                last = settled_on(reached, drawn, found.full)[1]
                run_on = [*images][: [*images].index(last) + 1]
                costs.append(sum(images[profile] for profile in run_on) / images[Profile.QUICK])
    n = sum(len(variant.full) for variant in variants)
    return Growth(
        quick=drawn[Profile.QUICK],
        medium=drawn[Profile.MEDIUM],
        n=n,
        wrong=round(wrong / n, 4),
        wrong_unseen=round(wrong_unseen / n, 4),
        images=round(statistics.median(costs), 2) if costs else 1.0,
        measured=measured,
        variants=tuple(variants),
    )


def settled_on(
    reached: Mapping[Profile, float], drawn: Mapping[Profile, Levels], threshold: float
) -> tuple[bool, Profile]:
    """Return whether a model passes, and on which profile that was settled."""
    for profile in EARLY:
        if reached[profile] >= drawn[profile].passes:
            return True, profile
        if reached[profile] < drawn[profile].hopeless:
            return False, profile
    return reached[Profile.FULL] >= threshold, Profile.FULL


def _paired(runs: Iterable[Run]) -> list[PairedVariant]:
    by_variant: dict[TrainingVariant, dict[int, dict[Profile, float]]] = {}
    for run in runs:
        by_variant.setdefault(run.subject, {}).setdefault(run.seed, {})[run.profile] = round(run.measured, 4)
    variants = []
    for subject, seeds in by_variant.items():
        whole = [reached for _, reached in sorted(seeds.items()) if len(reached) == len((*EARLY, Profile.FULL))]
        curves = (tuple(reached[profile] for reached in whole) for profile in (*EARLY, Profile.FULL))
        if whole:
            variants.append(PairedVariant(subject.name, subject.kind, subject.described, *curves))
    return variants


def _seeds(variant: PairedVariant) -> list[dict[Profile, float]]:
    curves = zip(variant.quick, variant.medium, variant.full, strict=True)
    return [dict(zip((*EARLY, Profile.FULL), curve, strict=True)) for curve in curves]


def _levels(variants: Sequence[PairedVariant], found: Calibration) -> dict[Profile, Levels]:
    """Apply the rule in the header of `thresholds.toml`."""
    reached = [seed for variant in variants for seed in _seeds(variant)]
    drawn = {}
    for profile, least in zip(EARLY, (found.quick, found.full), strict=True):
        failed = [seed[profile] + MARGIN for seed in reached if seed[Profile.FULL] < found.full]
        passed = [seed[profile] - FAR for seed in reached if seed[Profile.FULL] >= found.full]
        trained = [seed[profile] - FAR for seed in reached if seed[Profile.FULL] >= REALLY_TRAINED]
        passes = _up(max(least, *failed, 0.0))
        drawn[profile] = Levels(passes, _down(min(passes, *passed or [0.0])), _down(min([*trained, REALLY_TRAINED])))
    return drawn


# Eight decimals first: 0.72 * 100 is slightly above 72 in floating point, and must not become 73.
def _up(value: float) -> float:
    return math.ceil(round(value * 100, 8)) / 100


def _down(value: float) -> float:
    """Round down; a level at chance is none, since a network that is there has not begun to learn."""
    level = math.floor(round(value * 100, 8)) / 100
    return level if level > 1 / CLASSES else 0.0
