"""How much accuracy a network loses under the change of `changed.py`: one that learnt the classes, one that learnt the images."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from autograder.engine.report import Profile
from autograder.lesson.calibrate import VARIANTS, Subject, measured_by, spread, train_subject
from autograder.lesson.changed import IMAGES, change
from autograder.lesson.data import Split, load_split
from autograder.lesson.thresholds import Falls, Kind
from reference.data import Dataset, Images
from reference.evaluation import evaluate

SEEDS = 3
EPOCHS_BY_HEART = 12
HONEST = tuple(subject for subject in VARIANTS if subject.kind in {Kind.REFERENCE, Kind.STUDENT})


@dataclass(frozen=True)
class Fall:
    """One training, and the accuracy lost, a fraction."""

    name: str
    profile: Profile
    seed: int
    fall: float


def measure_falls(dataset: Dataset, seeds: int = SEEDS, report: Callable[[Fall], None] | None = None) -> Falls:
    """Train sound variants as a submission is, and the reference on the held-out images; draw the limit between them.

    On `quick` every sound variant with its seeds; on `full` the reference with one, to see that more data change little.
    Raises `GraderError` where the data set is not on this machine.
    """
    falls: dict[bool, list[float]] = {False: [], True: []}
    for by_heart, fall in _runs(dataset, seeds):
        falls[by_heart].append(fall.fall)
        if report is not None:
            report(fall)
    honest, memorised = spread(falls[False]), spread(falls[True])
    limit = round(statistics.fmean((honest.highest, memorised.lowest)), 3)
    counts = len(falls[False]), len(falls[True])
    return Falls(limit, measured_by(f"splot calibrate {dataset} --falls --seeds {seeds}"), counts, honest, memorised)


def _runs(dataset: Dataset, seeds: int) -> Iterator[tuple[bool, Fall]]:
    parts = load_split(dataset, Profile.QUICK)
    for subject in HONEST:
        for seed in range(seeds):
            yield False, Fall(subject.name, Profile.QUICK, seed, _fall(subject, parts, seed))
    known = replace(parts, train=parts.held_out)
    for seed in range(seeds):
        recipe = replace(HONEST[0].recipe, epochs=EPOCHS_BY_HEART)
        yield True, Fall("by heart", Profile.QUICK, seed, _fall(replace(HONEST[0], recipe=recipe), known, seed))
    yield False, Fall(HONEST[0].name, Profile.FULL, 0, _fall(HONEST[0], load_split(dataset, Profile.FULL), 0))


def _fall(subject: Subject, parts: Split, seed: int) -> float:
    model, recipe = train_subject(subject, parts, seed)
    some = Images(parts.held_out.images[:IMAGES], parts.held_out.labels[:IMAGES])
    changed = change(some, np.random.default_rng(seed))
    return evaluate(model, some, recipe).accuracy - evaluate(model, changed, recipe).accuracy
