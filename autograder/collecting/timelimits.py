"""How long a notebook may take, by profile."""

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.report import Profile


@dataclass(frozen=True)
class TimeLimits:
    """Seconds of wall time: one cell, the whole notebook, and the probe at one test cell."""

    cell: float
    submission: float
    probe: float = 120.0

    def within(self, seconds: float | None) -> "TimeLimits":
        """Keep to `seconds` in all, of which neither one cell nor one probe may take more than half."""
        if seconds is None:
            return self
        return TimeLimits(min(self.cell, seconds / 2), seconds, min(self.probe, seconds / 2))


TIME_LIMITS: Mapping[Profile, TimeLimits] = {
    Profile.QUICK: TimeLimits(cell=300.0, submission=900.0),
    Profile.FULL: TimeLimits(cell=1800.0, submission=5400.0),
}
