"""Seeds: repeatable for a regrade, different for each submission, foreseen by nobody."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from autograder.engine.errors import GraderError
from autograder.engine.evidence.exchange import generator, seed_for
from autograder.lesson.observations import IMAGE_SHAPES, random_images


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home without a secret, and return where the secret will be."""
    monkeypatch.delenv("SPLOT_SECRET", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "splot" / "secret"


def test_a_regrade_repeats_the_seed_and_another_submission_has_another() -> None:
    """The seed is a function of the digest, over processes too: it comes from a file."""
    assert seed_for("a" * 64) == seed_for("a" * 64) != seed_for("b" * 64)


def test_another_course_has_other_seeds(home: Path) -> None:
    """The same submission under another secret is probed with other inputs."""
    first = seed_for("a" * 64)
    home.unlink()
    assert seed_for("a" * 64) != first


def test_the_secret_is_for_its_owner_only(home: Path) -> None:
    """Mode 0600, 32 bytes, and nothing left beside it."""
    seed_for("")
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert len(home.read_bytes()) == 32
    assert [path.name for path in home.parent.iterdir()] == ["secret"]


def test_graders_that_start_together_agree_on_one_secret(home: Path) -> None:
    """Sixteen at a time on a fresh machine, five times over: one seed."""
    for _ in range(5):
        home.unlink(missing_ok=True)
        with ThreadPoolExecutor(16) as pool:
            assert len(set(pool.map(seed_for, ["a" * 64] * 64))) == 1
    assert [path.name for path in home.parent.iterdir()] == ["secret"]


def test_the_environment_may_give_the_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graders on several machines share SPLOT_SECRET, the key of an HMAC-SHA-256, and write nothing."""
    monkeypatch.setenv("SPLOT_SECRET", "shared by the course")
    assert seed_for("digest") == "bc01698ac87e22f91bc07d67f1a37de8c9cc9fdab05126b5d8f9cb653971eb3f"
    assert not home.exists()


def test_a_damaged_secret_is_the_graders_fault(home: Path) -> None:
    """An empty file would make every seed foreseeable: it is refused, with what to do."""
    seed_for("")
    home.write_bytes(b"")
    with pytest.raises(GraderError, match="is damaged; delete it"):
        seed_for("")


def test_a_secret_that_cannot_be_kept_is_the_graders_fault(tmp_path: Path) -> None:
    """A file where the folder should be: one sentence, and the way round."""
    (tmp_path / "splot").write_text("")
    with pytest.raises(GraderError, match=r"cannot be kept: .*; set SPLOT_SECRET instead"):
        seed_for("")


def test_each_probe_draws_its_own_numbers() -> None:
    """The same seed and probe repeat, another probe or seed differs."""
    drawn = [
        generator(seed, probe).random(4).tolist() for seed, probe in [("s", "p"), ("s", "p"), ("s", "q"), ("t", "p")]
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(numbers) for numbers in drawn}) == 3


def test_random_images_are_bytes_of_every_value() -> None:
    """Grey and colour images have their declared shapes and use the whole range."""
    for kind, shape in IMAGE_SHAPES.items():
        images = random_images("seed", kind)
        assert images.shape == shape
        assert images.dtype == np.uint8
        assert (images.min(), images.max()) == (0, 255)
