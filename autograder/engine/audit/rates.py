"""How often the grader is wrong: rates over a corpus, with what so few submissions can say at most."""

from collections.abc import Iterable
from math import comb

import msgspec

from autograder.engine.audit.compare import CheckAudit, SampleAudit, Verdict, is_fault

CONFIDENCE = 0.95


class Rate(msgspec.Struct, frozen=True):
    """`count` of `n`, and the rate that is not exceeded with a confidence of 95 % if rows are drawn at random."""

    count: int
    n: int
    at_most: float | None


class Rates(msgspec.Struct, frozen=True):
    """The figures of an audit, by checks: of those that should pass and that should fail."""

    false_fails: Rate
    false_passes: Rate
    unnamed: Rate
    open: int
    """Checks that more data may decide; they are in no rate."""


def rates(samples: Iterable[SampleAudit]) -> Rates:
    """Count the faults over all checks of these submissions that are not open."""
    checks = [check for sample in samples for check in sample.checks]
    decided = [check for check in checks if check.verdict is not Verdict.OPEN]
    right = [check for check in decided if check.expected]
    wrong = [check for check in decided if not check.expected]
    failed = [check for check in wrong if check.verdict in {Verdict.AGREES, Verdict.UNNAMED}]
    return Rates(
        false_fails=_rate(sum(map(is_fault, right)), len(right)),
        false_passes=_rate(_count(wrong, Verdict.FALSE_PASS), len(wrong)),
        unnamed=_rate(_count(failed, Verdict.UNNAMED), len(failed)),
        open=len(checks) - len(decided),
    )


def _count(checks: list[CheckAudit], verdict: Verdict) -> int:
    return sum(check.verdict is verdict for check in checks)


def _rate(count: int, n: int) -> Rate:
    return Rate(count, n, upper_bound(count, n) if n else None)


def upper_bound(count: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper bound of Clopper and Pearson (1934) on a probability, `count` of `n` having been seen."""
    low, high = count / n, 1.0
    if count == n:
        return high
    for _ in range(50):
        middle = (low + high) / 2
        seen = sum(comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(count + 1))
        low, high = (middle, high) if seen > 1 - confidence else (low, middle)
    return high
