"""Findings: what the judge saw on the way, for the pages people read: no expected value, no held-out data.

The judge leaves them beside the evidence they were measured on, so a page is drawn without measuring anything again.
Their reader trusts them as little as evidence: the judge handles untrusted data.
"""

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence import UNREADABLE
from autograder.engine.files import read_beneath
from autograder.engine.text import say

FILE = "findings.json"
MAX_FINDINGS = 16_000_000


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What every lesson's findings have: `faults` names what could not be drawn, for the instructor."""

    faults: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = ()


Kind = TypeVar("Kind", bound=Findings)


def read_findings(evidence: Path, kind: type[Kind]) -> Kind:
    """Read an evidence folder's findings; raises `EvidenceError` where there are none, or not of this form."""
    raw = read_beneath(evidence, FILE, limit=MAX_FINDINGS)
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        path = evidence / FILE
        raise EvidenceError(
            say(pl=f"{path} nie zawiera wyników pomiaru: {error}.", en=f"{path} does not hold findings: {error}.")
        ) from error


def findings_or_none(evidence: Path, kind: type[Kind]) -> Kind:
    """Read them; empty ones where there are none that can be read, as of what was graded before there were any."""
    try:
        return read_findings(evidence, kind)
    except EvidenceError:
        return kind()
