"""What a hidden grader asks the sandbox for, as data.

Each grader module lists its probes beside its checks. A probe names what is wanted (a function's results, a layer's
parameters, a model); the expected answer never goes with it. Random inputs come from a generator seeded by a secret of
the course and the submission's digest: nobody can foresee them, and a regrade repeats them.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autograder.errors import GraderError

Array = NDArray[np.generic]
IMAGE_SHAPES = {"grey": (16, 28, 28), "colour": (16, 32, 32, 3)}
Arguments = tuple[Array | int, ...]
SECRET_BYTES = 32


@dataclass(frozen=True)
class CallProbe:
    """Call `function` of the notebook with drawn arguments, as NumPy arrays and as torch tensors.

    Every call is watched for library convolutions; all probes of one function agree in `steps`, so that no call
    differs from another.
    """

    cell: str
    name: str
    function: str
    draw: Callable[[np.random.Generator], Arguments]
    steps: bool = False  # count how many steps the call takes


@dataclass(frozen=True)
class LayerProbe:
    """Read the declared parameters of a layer the notebook named."""

    cell: str
    name: str


@dataclass(frozen=True)
class ModelProbe:
    """Take `models[name]` as a graph with weights, its history and its results."""

    cell: str
    name: str


@dataclass(frozen=True)
class DataProbe:
    """Take what `testset` is and does to random images."""

    cell: str
    name: str


@dataclass(frozen=True)
class MapProbe:
    """Call `cam(model, image, class_index)` on visible images, for the class each of these models itself predicts."""

    cell: str
    name: str
    models: tuple[str, ...]


Probe = CallProbe | LayerProbe | ModelProbe | DataProbe | MapProbe


def generator(seed: str, probe: str) -> np.random.Generator:
    """Return the random generator of one probe of one submission."""
    return np.random.default_rng(list(hashlib.sha256(f"{seed}/{probe}".encode()).digest()))


def random_images(seed: str, kind: str) -> NDArray[np.uint8]:
    """Draw the images that go through the student's transform, "grey" (16, 28, 28) or "colour" (16, 32, 32, 3)."""
    return generator(seed, f"images/{kind}").integers(0, 256, IMAGE_SHAPES[kind], dtype=np.uint8)


def seed_for(digest: str) -> str:
    """Return the seed of a submission, from the course's secret and the submission's digest."""
    return hmac.new(_secret(), digest.encode(), hashlib.sha256).hexdigest()


def _secret() -> bytes:
    """Read the course's secret (`SPLOT_SECRET`, else a file of this machine's user), made once."""
    if given := os.environ.get("SPLOT_SECRET"):
        return given.encode()
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    path = home / "splot" / "secret"
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        raise GraderError(
            f"The course's secret {path} cannot be kept: {error.strerror}; set SPLOT_SECRET instead."
        ) from error
    if len(secret) < SECRET_BYTES:
        raise GraderError(f"The course's secret {path} is damaged; delete it, and a new one is made.")
    return secret


def _make_secret(path: Path) -> None:
    """Write it aside, then link it: whoever comes first, and never half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        Path(aside).unlink()
