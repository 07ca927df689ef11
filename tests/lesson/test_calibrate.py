from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.report import Profile
from autograder.lesson import calibrate
from autograder.lesson.calibrate import (
    accuracy,
    conclude,
    is_sound,
    measured_by,
    recalibrate,
    spread,
)
from autograder.lesson.datasets import Split
from autograder.lesson.thresholds import (
    PATH,
    Falls,
    Growth,
    Levels,
    PairedVariant,
    Provenance,
    VariantKind,
    ceiling,
    fall_limit,
    read,
    render,
    threshold,
    write,
)
from autograder.lesson.transform import change
from autograder.lesson.variants import HONEST, MEMORISING, VARIANTS, Run, TrainingVariant
from reference.data import Dataset, Images
from reference.recipe import Recipe

REFERENCE = next(subject for subject in VARIANTS if subject.kind is VariantKind.REFERENCE)
SLOW = next(subject for subject in VARIANTS if subject.name == "learns slowly")
MEASURED = Provenance("splot calibrate FashionMNIST", "a machine", "2026-01-02", "2.14.1")


def _runs(subject: TrainingVariant, full: list[float], quick: list[float]) -> list[Run]:
    pairs = ((Profile.FULL, full), (Profile.QUICK, quick))
    return [Run(subject, profile, seed, x) for profile, xs in pairs for seed, x in enumerate(xs)]


def test_full_is_nine_tenths_of_the_reference_rounded_down() -> None:
    """0.9 of a mean of 0.895 is 0.8055, and the threshold 0.80."""
    found = conclude(_runs(REFERENCE, [0.89, 0.90], [0.80, 0.80]), MEASURED)
    assert found.full == 0.80


def test_quick_is_never_below_nine_tenths_of_the_reference_on_quick() -> None:
    """Where no run failed on full, 0.9 of 0.80 is what quick asks, exactly 0.72."""
    assert conclude(_runs(REFERENCE, [0.90, 0.90], [0.80, 0.80]), MEASURED).quick == 0.72


def test_quick_lies_above_every_run_that_failed_on_full() -> None:
    """A seed at 0.70 on full reached 0.76 on quick: the level is 0.76 and a margin of 0.02."""
    runs = _runs(REFERENCE, [0.90, 0.90], [0.80, 0.80])
    runs += _runs(SLOW, [0.70, 0.85, 0.85], [0.76, 0.75, 0.76])
    assert conclude(runs, MEASURED).quick == 0.78


def test_the_lowest_run_of_a_sound_variant_passes_on_full() -> None:
    """A variant of mean 0.82, more than 0.9 of 0.90, has a seed at 0.78: the threshold is 0.78, not 0.81."""
    runs = _runs(REFERENCE, [0.90, 0.90], [0.80, 0.80])
    runs += _runs(SLOW, [0.78, 0.83, 0.85], [0.70, 0.70, 0.70])
    assert conclude(runs, MEASURED).full == 0.78


def test_an_unsound_variant_does_not_lower_the_threshold() -> None:
    """A variant of mean 0.80 is below 0.81, so its seed at 0.70 changes nothing."""
    runs = _runs(REFERENCE, [0.90, 0.90], [0.80, 0.80])
    runs += _runs(SLOW, [0.70, 0.85, 0.85], [0.70, 0.70, 0.70])
    assert conclude(runs, MEASURED).full == 0.81


def test_the_file_reads_back_as_written(tmp_path: Path) -> None:
    """What `write` puts down, quotes and non-ASCII letters included, `read` gives back equal."""
    odd = replace(SLOW, name='a "quoted" \\ naïve name')
    calibration = conclude([*_runs(REFERENCE, [0.9], [0.8]), *_runs(odd, [0.5, 0.1], [0.4, 0.2])], MEASURED)
    falls = Falls(0.12, MEASURED, (2, 1), spread([0.05, 0.07]), spread([0.18]))
    paired = PairedVariant(odd.name, odd.kind, odd.described, (0.1, 0.2), (0.3, 0.4), (0.5, 0.6))
    found = Levels(0.8, 0.1, 0.0)
    growth = Growth(found, found, 2, 0.0, 0.5, 5.0, MEASURED, (paired, paired))
    both = {
        "FashionMNIST": msgspec.structs.replace(calibration, growth=growth),
        "CIFAR10": msgspec.structs.replace(calibration, falls=falls),
    }
    write(tmp_path / "thresholds.toml", both)
    assert read(tmp_path / "thresholds.toml") == both
    assert list(tmp_path.iterdir()) == [tmp_path / "thresholds.toml"]


@pytest.mark.parametrize("text", ["full = ", "[FashionMNIST]\nfull = 'high'\n", "full = 1"])
def test_a_damaged_file_is_a_graders_fault(tmp_path: Path, text: str) -> None:
    """Broken TOML and wrong fields raise GraderError that names the file."""
    path = tmp_path / "thresholds.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GraderError, match=r"thresholds\.toml cannot be read"):
        read(path)


def test_the_shipped_thresholds_follow_from_the_shipped_runs() -> None:
    """The file regenerates byte for byte, for both data sets: ten seeds, eight students, full by its rule."""
    shipped = read(PATH)
    assert render(shipped) == PATH.read_text(encoding="utf-8")
    assert set(shipped) == set(Dataset)
    for calibration in shipped.values():
        kinds = [variant.kind for variant in calibration.variants]
        reference = calibration.variants[kinds.index(VariantKind.REFERENCE)]
        assert reference.n >= 10
        assert kinds.count(VariantKind.STUDENT) >= 8
        lowest = min(v.full.lowest for v in calibration.variants if is_sound(v, reference))
        assert 0 <= min(0.9 * reference.full.mean, lowest) - calibration.full < 0.01


def test_every_sound_variant_passes_and_no_unsound_one() -> None:
    """On full, sound variants' worst seeds reach the threshold, most students are sound; unsound ones miss both."""
    for calibration in read(PATH).values():
        reference = next(v for v in calibration.variants if v.kind is VariantKind.REFERENCE)
        sound = [v for v in calibration.variants if is_sound(v, reference)]
        assert min(v.full.lowest for v in sound) >= calibration.full
        assert sum(v.kind is VariantKind.STUDENT for v in sound) >= 6
        unsound = [v for v in calibration.variants if v.kind is VariantKind.UNSOUND]
        assert "untrained" in {variant.name for variant in unsound}
        assert max(variant.full.highest for variant in unsound) < calibration.full
        assert max(variant.quick.highest for variant in unsound) < calibration.quick


def test_passing_early_never_passes_what_full_would_fail() -> None:
    """No measured variant whose mean is below the threshold on full reaches quick's level."""
    for calibration in read(PATH).values():
        failing = [v for v in calibration.variants if v.full.mean < calibration.full]
        assert failing
        assert all(variant.quick.highest < calibration.quick for variant in failing)


def test_a_threshold_is_found_by_data_set_and_profile() -> None:
    """`threshold` gives the file's own figures."""
    shipped = read(PATH)["FashionMNIST"]
    assert threshold(Dataset.FASHION_MNIST, Profile.FULL) == shipped.full
    assert threshold(Dataset.FASHION_MNIST, Profile.QUICK) >= shipped.quick
    cifar = read(PATH)["CIFAR10"]
    assert threshold(Dataset.CIFAR10, Profile.QUICK) == cifar.quick
    assert threshold(Dataset.CIFAR10, Profile.MEDIUM) == max(cifar.quick, cifar.full)


def test_what_is_measured_here_can_be_written(tmp_path: Path) -> None:
    """Processor, date and torch's version of this machine go into the file and come back equal."""
    found = conclude(_runs(REFERENCE, [0.9], [0.8]), measured_by("splot calibrate CIFAR10"))
    write(tmp_path / "thresholds.toml", {"CIFAR10": found})
    assert read(tmp_path / "thresholds.toml") == {"CIFAR10": found}
    assert str(torch.__version__) == found.measured.torch


def test_a_data_set_is_measured_anew_and_the_other_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line after each run and at the end; with `only_falls` the thresholds stay as the file says them."""
    out = tmp_path / "thresholds.toml"
    runs = _runs(REFERENCE, [0.9], [0.8])
    falls = [Run(HONEST[1], Profile.QUICK, 0, 0.05), Run(MEMORISING, Profile.QUICK, 0, 0.15)]
    monkeypatch.setattr(calibrate, "measure", lambda *_: iter(runs))
    monkeypatch.setattr(calibrate, "measure_falls", lambda *_: iter(falls))
    write(out, {"FashionMNIST": read(PATH)["FashionMNIST"]})
    lines = list(recalibrate(["CIFAR10"], out, 2, only_falls=True))
    assert lines[0] == "reference full 0 0.9"
    assert lines[2:] == [
        "narrow quick 0 0.05",
        "by heart quick 0 0.15",
        f"CIFAR10: full 0.81, quick 0.72; {out} written.",
    ]
    found = read(out)
    assert found["FashionMNIST"] == read(PATH)["FashionMNIST"]
    assert found["CIFAR10"].falls is not None
    assert (found["CIFAR10"].falls.limit, found["CIFAR10"].falls.n) == (0.1, (1, 1))
    assert list(recalibrate(["CIFAR10"], out, 2, only_falls=True)) == lines[2:]
    assert read(out) == found
    with pytest.raises(SplotError, match="no data set MNIST; the grader knows FashionMNIST, CIFAR10"):
        list(recalibrate(["MNIST"], out, 2, only_falls=True))


def test_a_run_is_measured_on_the_held_out_images_alone() -> None:
    """Held-out images all of one class: an untrained model scores 1 or 0 there as its bias says."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 28, 28), generator=generator, dtype=torch.uint8)
    seen = Images(images, torch.arange(40) % 10)
    untrained = replace(REFERENCE, recipe=Recipe(epochs=0))
    scores = [
        accuracy(untrained, Split(visible=seen, held_out=Images(images, torch.full((40,), label)), train=seen), seed=0)
        for label in range(10)
    ]
    assert sum(scores) == pytest.approx(1.0)


def test_what_falls_under_the_change_is_kept_apart_as_shipped() -> None:
    """Honest networks lose clearly less than one that knows the images by heart; the limit lies between them."""
    falls = read(PATH)["FashionMNIST"].falls
    assert falls is not None
    assert falls.honest.highest < falls.limit < falls.memorised.lowest
    assert falls.limit == fall_limit(Dataset.FASHION_MNIST)


@pytest.mark.parametrize("profile", [Profile.QUICK, Profile.FULL])
def test_the_ceiling_is_above_every_run_that_was_measured(profile: Profile) -> None:
    """Half the errors of the best run: no run of any variant is near it."""
    for dataset, calibration in read(PATH).items():
        limit = ceiling(Dataset(dataset), profile)
        assert limit is not None
        assert max(getattr(variant, profile).highest for variant in calibration.variants) < limit - 0.03


@pytest.mark.parametrize("shape", [(50, 28, 28), (50, 32, 32, 3)])
def test_a_changed_image_is_the_same_picture(shape: tuple[int, ...]) -> None:
    """A pixel aside at most, a little lighter or darker: near the image itself, and never the image itself."""
    ramp = np.add.outer(np.arange(shape[1]), np.arange(shape[2])) * 3 + 40
    pixels = np.broadcast_to(ramp.reshape(1, *ramp.shape, *[1] * (len(shape) - 3)), shape).astype(np.uint8)
    images = Images(torch.from_numpy(pixels.copy()), torch.arange(50) % 10)
    changed = change(images, np.random.default_rng(0))
    assert (changed.images.shape, changed.images.dtype) == (images.images.shape, torch.uint8)
    assert torch.equal(changed.labels, images.labels)
    distance = (changed.images.float() - images.images.float()).abs().flatten(1).mean(1)
    assert distance.min() > 0
    assert distance.max() < 30
    again, other = (change(images, np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(again.images, changed.images)
    assert not torch.equal(other.images, changed.images)
