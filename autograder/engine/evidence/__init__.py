"""What crosses the trust boundary: questions on the way in, plain data on the way out."""

from autograder.engine.evidence.exchange import Schema, seal, take, withdraw, write_requests
from autograder.engine.evidence.probes import Probe, generator, seed_for
from autograder.engine.evidence.reader import MAX_ARRAY, UNREADABLE, Evidence
from autograder.engine.evidence.records import (
    CellRun,
    EvidenceFile,
    Failure,
    Fault,
    KeptFile,
    Name,
    Probed,
    Record,
    Text,
    Whole,
)

__all__ = [
    "MAX_ARRAY",
    "UNREADABLE",
    "CellRun",
    "Evidence",
    "EvidenceFile",
    "Failure",
    "Fault",
    "KeptFile",
    "Name",
    "Probe",
    "Probed",
    "Record",
    "Schema",
    "Text",
    "Whole",
    "generator",
    "seal",
    "seed_for",
    "take",
    "withdraw",
    "write_requests",
]
