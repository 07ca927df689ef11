"""The one place where tests build `evidence.json` by hand."""

from pathlib import Path
from typing import Any

import msgspec

from autograder.engine.evidence.records import EvidenceFile
from autograder.engine.report import Profile

SEED = "a seed of the tests"


def evidence_file(**fields: Any) -> EvidenceFile:
    """Return Anna's evidence on the profile `quick`, with these fields otherwise."""
    given: dict[str, Any] = {
        "submission": "submitted/anna/cnn/cnn.ipynb",
        "student": "anna",
        "assignment": "cnn",
        "digest": "d" * 64,
        "seed": SEED,
        "profile": Profile.QUICK,
        "dataset": "FashionMNIST",
        "sandbox": "none",
    }
    return EvidenceFile(**given | fields)


def write_evidence_file(file: EvidenceFile, folder: Path) -> None:
    """Write it as `evidence.json`."""
    (folder / "evidence.json").write_bytes(msgspec.json.encode(file))
