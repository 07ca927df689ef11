"""Hostile submissions: each a filled release notebook that tries one thing, with what its honest part deserves."""

from tests.submissions.hostile import (
    claims,
    deception,
    ending,
    exhaustion,
    kernel,
    models,
    network,
    reading,
    results,
    unseen,
)
from tests.submissions.hostile.attack import MARKER, Attack

PLAIN = (*reading.ATTACKS, *network.ATTACKS, *results.ATTACKS, *models.ATTACKS, *claims.ATTACKS)
"""After what is not theirs: files, verdicts, points."""

FIERCE = (*deception.ATTACKS, *kernel.ATTACKS, *ending.ATTACKS, *exhaustion.ATTACKS, *unseen.ATTACKS)
"""Against the program that runs them, or the machine."""

ATTACKS: tuple[Attack, ...] = (*PLAIN, *FIERCE)

__all__ = ["ATTACKS", "FIERCE", "MARKER", "PLAIN", "Attack"]
