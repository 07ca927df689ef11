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
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from autograder.engine.errors import GraderError

SECRET_BYTES = 32


@dataclass(frozen=True)
class Probe:
    """What is wanted at one test cell; a lesson's probes are subclasses, each answered by the recorder of its `kind`."""

    kind: ClassVar[str]

    cell: str
    name: str

    def request(self, seed: str, folder: Path) -> dict[str, object]:  # noqa: ARG002
        """Return the request as JSON would have it, once the inputs that go with it are written to the folder."""
        return {"kind": self.kind, "name": self.name}


def generator(seed: str, probe: str) -> np.random.Generator:
    """Return the random generator of one probe of one submission."""
    return np.random.default_rng(list(hashlib.sha256(f"{seed}/{probe}".encode()).digest()))


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
