"""When a verdict on less than all data is final: the levels drawn from paired runs, and the shipped figures."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from autograder.engine.report import Profile
from autograder.lesson import calibrate, thresholds
from autograder.lesson.calibrate import measure_growth, recalibrate
from autograder.lesson.growth import FAR, MARGIN, conclude_growth, settled_on
from autograder.lesson.measure import REALLY_TRAINED
from autograder.lesson.thresholds import (
    PATH,
    Calibration,
    Growth,
    Levels,
    PairedVariant,
    Provenance,
    ceiling,
    levels,
    read,
    threshold,
    write,
)
from autograder.lesson.variants import VARIANTS, WEAK, Run, TrainingVariant
from reference.data import Dataset

MEASURED = Provenance("splot calibrate FashionMNIST --growth --seeds 2", "a machine", "2026-01-02", "2.14.1")
SHIPPED = read(PATH)["FashionMNIST"]
GIVEN = msgspec.structs.replace(SHIPPED, full=0.80, quick=0.75, growth=None)
IMAGES = {Profile.QUICK: 6_000, Profile.MEDIUM: 24_000, Profile.FULL: 60_000}
QUICK, MEDIUM, FULL = IMAGES
Curve = tuple[float, float, float]


def runs(curves: Mapping[TrainingVariant, list[Curve]]) -> list[Run]:
    """Return runs that reached these accuracies on quick, medium and full, a curve for each seed."""
    return [
        Run(subject, profile, seed, reached)
        for subject, seeds in curves.items()
        for seed, curve in enumerate(seeds)
        for profile, reached in zip(IMAGES, curve, strict=True)
    ]


def drawn(*curves: Curve) -> Growth:
    """Draw levels from single runs of different variants."""
    return conclude_growth(runs(dict(zip(WEAK, ([curve] for curve in curves), strict=False))), GIVEN, IMAGES, MEASURED)


def test_a_model_passes_early_above_all_that_failed() -> None:
    """One at 0.79 on full reached 0.76 and 0.82 before: 0.02 above them. Else the thresholds as they are."""
    found = drawn((0.76, 0.82, 0.79), (0.70, 0.78, 0.85))
    assert (found.quick.passes, found.medium.passes) == (0.78, 0.84)
    found = drawn((0.50, 0.60, 0.79), (0.70, 0.78, 0.85))
    assert (found.quick.passes, found.medium.passes) == (GIVEN.quick, GIVEN.full)


def test_a_model_is_hopeless_below_all_that_passed() -> None:
    """The lowest that passed on full were at 0.40 and 0.72: 0.05 below. Nothing is where none passed."""
    found = drawn((0.40, 0.75, 0.81), (0.60, 0.72, 0.85), (0.20, 0.30, 0.50))
    assert (found.quick.hopeless, found.medium.hopeless) == (0.35, 0.67)
    found = drawn((0.40, 0.50, 0.60))
    assert (found.quick.hopeless, found.medium.hopeless) == (0.0, 0.0)


def test_a_network_that_begins_at_chance_leaves_nothing_hopeless_on_quick() -> None:
    """It learnt nothing from 6,000 images and passed on all: no level at chance, where one that has not begun to learn is."""
    assert drawn((0.15, 0.70, 0.82)).quick.hopeless == 0.0
    assert drawn((0.16, 0.70, 0.82)).quick.hopeless == 0.11


def test_a_network_is_untrained_below_all_that_came_to_be_trained() -> None:
    """Those of 0.30 and more on full were at 0.10 and 0.22 before; never above 0.30 itself."""
    found = drawn((0.10, 0.25, 0.31), (0.12, 0.22, 0.70), (0.02, 0.02, 0.29))
    assert (found.quick.untrained, found.medium.untrained) == (0.0, 0.17)
    assert drawn((0.70, 0.75, 0.81)).medium.untrained == REALLY_TRAINED


def test_a_verdict_is_settled_on_the_first_profile_that_can() -> None:
    """At or above `passes`, below `hopeless`; else on the next, at last on full by the threshold."""
    both = {QUICK: Levels(0.75, 0.30, 0.1), MEDIUM: Levels(0.82, 0.70, 0.1)}
    for curve, ends in {
        (0.75, 0.10, 0.10): (True, QUICK),
        (0.29, 0.90, 0.90): (False, QUICK),
        (0.30, 0.82, 0.10): (True, MEDIUM),
        (0.74, 0.69, 0.90): (False, MEDIUM),
        (0.74, 0.81, 0.80): (True, FULL),
        (0.30, 0.70, 0.79): (False, FULL),
    }.items():
        assert settled_on(dict(zip(IMAGES, curve, strict=True)), both, 0.80) == ends


def test_errors_are_counted_with_and_without_the_models_own_variant() -> None:
    """By its own level no run is wrong; without it, the one slow variant that passes is hopeless on quick."""
    found = drawn((0.20, 0.75, 0.81), (0.60, 0.75, 0.85), (0.65, 0.75, 0.85), (0.10, 0.30, 0.50))
    assert (found.n, found.wrong, found.wrong_unseen) == (4, 0.0, 0.25)


def test_images_are_those_until_the_verdict() -> None:
    """Three that quick does not pass: settled on quick, medium and full, after 1, 5 and 15 times its images."""
    assert drawn((0.60, 0.75, 0.85), (0.10, 0.30, 0.50), (0.60, 0.50, 0.60)).images == 5.0
    assert drawn((0.80, 0.85, 0.90)).images == 1.0


def test_a_seed_that_lacks_a_profile_does_not_count() -> None:
    """A measurement that was cut short is of use up to there."""
    given = runs({WEAK[0]: [(0.5, 0.6, 0.81), (0.1, 0.6, 0.81)], WEAK[1]: [(0.1, 0.6, 0.81)]})
    whole = [
        run for run in given if (run.subject, run.seed, run.profile) not in {(WEAK[0], 1, FULL), (WEAK[1], 0, QUICK)}
    ]
    found = conclude_growth(whole, GIVEN, IMAGES, MEASURED)
    assert (found.n, found.quick.hopeless) == (1, 0.45)
    assert [variant.name for variant in found.variants] == [WEAK[0].name]


def _measured_again(found: Calibration) -> Growth:
    """Apply the rule to the runs in the file."""
    growth = found.growth
    assert growth is not None
    by_name = {subject.name: subject for subject in WEAK}
    curves = {
        by_name[v.name]: list(zip(v.quick, v.medium, v.full, strict=True)) for v in growth.variants if v.name in by_name
    }
    return conclude_growth(runs(curves), found, IMAGES, growth.measured)


def test_the_shipped_levels_and_error_rates_follow_from_the_shipped_runs() -> None:
    """Every variant as it is trained today, with two seeds; levels, rates and cost as the rule gives them."""
    assert SHIPPED.growth is not None
    assert SHIPPED.growth == _measured_again(SHIPPED)
    assert {v.name: v.recipe for v in SHIPPED.growth.variants} == {v.name: v.described for v in WEAK}
    assert {len(variant.full) for variant in SHIPPED.growth.variants} == {2}
    assert SHIPPED.growth.wrong <= 0.01


def _near(variant: PairedVariant) -> bool:
    return max(variant.full) >= SHIPPED.full - 0.05 and min(variant.full) < SHIPPED.full + 0.05


def test_the_levels_rest_on_variants_near_the_threshold() -> None:
    """More than ten variants end within 0.05 of it; some pass and some fail; margins keep the levels apart."""
    growth = SHIPPED.growth
    assert growth is not None
    assert sum(_near(variant) for variant in growth.variants) > 10
    for profile, found in ((QUICK, growth.quick), (MEDIUM, growth.medium)):
        pairs = [pair for v in growth.variants for pair in zip(getattr(v, profile), v.full, strict=True)]
        assert min(early for early, full in pairs if full >= SHIPPED.full) - FAR >= found.hopeless
        assert max(early for early, full in pairs if full < SHIPPED.full) + MARGIN <= found.passes + 1e-9
        assert found.untrained <= REALLY_TRAINED
        assert found.hopeless < found.passes


def test_levels_are_found_by_data_set_and_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's own; none on full, and none where growth was not measured: there what passes on both others passes."""
    fashion = Dataset.FASHION_MNIST
    assert SHIPPED.growth is not None
    assert levels(fashion, QUICK) == SHIPPED.growth.quick
    assert levels(fashion, MEDIUM) == SHIPPED.growth.medium
    assert levels(fashion, FULL) is None
    assert threshold(fashion, MEDIUM) == SHIPPED.growth.medium.passes
    assert ceiling(fashion, MEDIUM) == ceiling(fashion, FULL)
    without = msgspec.structs.replace(SHIPPED, growth=None)
    monkeypatch.setattr(thresholds, "_shipped", lambda: {"FashionMNIST": without})
    assert levels(fashion, QUICK) is None
    assert levels(fashion, MEDIUM) is None
    assert threshold(fashion, MEDIUM) == max(without.quick, without.full)
    assert threshold(fashion, QUICK) == without.quick


def test_growth_is_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `only_growth` the thresholds and what falls stay as the file says them, and the levels are new."""
    out = tmp_path / "thresholds.toml"
    write(out, {"FashionMNIST": GIVEN})
    monkeypatch.setattr(calibrate, "measure_growth", lambda *_: iter(runs({WEAK[0]: [(0.5, 0.6, 0.81)]})))
    monkeypatch.setattr(calibrate, "training_images", lambda _: IMAGES)
    lines = list(recalibrate(["FashionMNIST"], out, 1, only_growth=True))
    assert lines[:3] == [f"{WEAK[0].name} quick 0 0.5", f"{WEAK[0].name} medium 0 0.6", f"{WEAK[0].name} full 0 0.81"]
    found = read(out)["FashionMNIST"]
    assert found.growth is not None
    assert found.growth.measured.command == "splot calibrate FashionMNIST --growth --seeds 1"
    assert msgspec.structs.replace(found, growth=None) == GIVEN


def test_growth_is_measured_seed_by_seed_on_all_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed on quick, medium and full before the next one."""
    monkeypatch.setattr(calibrate, "load_split", lambda _, profile: profile)
    monkeypatch.setattr(calibrate, "accuracy", lambda _subject, parts, seed: IMAGES[parts] + seed)
    taken = [(run.subject.name, run.profile, run.seed, run.measured) for run in measure_growth("", VARIANTS[:2], 2)]  # type: ignore[arg-type]
    assert taken == [
        (subject.name, profile, seed, IMAGES[profile] + seed)
        for seed in range(2)
        for subject in VARIANTS[:2]
        for profile in IMAGES
    ]
