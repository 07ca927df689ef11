"""Data that crosses the trust boundary: requests into the sandbox, plain data out of it."""

from autograder.engine.evidence.exchange import (
    Probe,
    Schema,
    generator,
    seal,
    seed_for,
    take,
    withdraw,
    write_requests,
)
from autograder.engine.evidence.reader import (
    FINDINGS_FILE,
    MAX_ARRAY,
    Evidence,
    Findings,
    findings_or_none,
    read_findings,
)
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
    "FINDINGS_FILE",
    "MAX_ARRAY",
    "CellRun",
    "Evidence",
    "EvidenceFile",
    "Failure",
    "Fault",
    "Findings",
    "KeptFile",
    "Name",
    "Probe",
    "Probed",
    "Record",
    "Schema",
    "Text",
    "Whole",
    "findings_or_none",
    "generator",
    "read_findings",
    "seal",
    "seed_for",
    "take",
    "withdraw",
    "write_requests",
]
