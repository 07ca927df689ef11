"""Data that crosses the trust boundary: requests into the sandbox, plain data out of it."""

from autograder.engine.evidence.exchange import (
    Probe,
    Schema,
    delete_evidence,
    generator,
    seed_for,
    take,
    write_evidence,
    write_requests,
)
from autograder.engine.evidence.packed import pack_evidence, unpack_evidence
from autograder.engine.evidence.reader import (
    FINDINGS_FILE,
    MAX_ARRAY,
    MAX_FAULTS,
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
    Name,
    Probed,
    Record,
    RecordFile,
    Text,
    Whole,
)

__all__ = [
    "FINDINGS_FILE",
    "MAX_ARRAY",
    "MAX_FAULTS",
    "CellRun",
    "Evidence",
    "EvidenceFile",
    "Failure",
    "Fault",
    "Findings",
    "Name",
    "Probe",
    "Probed",
    "Record",
    "RecordFile",
    "Schema",
    "Text",
    "Whole",
    "delete_evidence",
    "findings_or_none",
    "generator",
    "pack_evidence",
    "read_findings",
    "seed_for",
    "take",
    "unpack_evidence",
    "write_evidence",
    "write_requests",
]
