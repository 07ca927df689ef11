"""Look at one submission through the judge's measurements, and note what its page will show.

A fault in one picture costs that picture: never the page, never the grade.
"""

from collections.abc import Callable
from typing import TypeVar

from autograder.evidence.reader import Evidence
from autograder.measuring.findings import Best, Findings
from autograder.measuring.measure import Measurements

from .comparisons import comparisons
from .models import best, models
from .overlays import overlays

Drawn = TypeVar("Drawn")


def look(evidence: Evidence, measurements: Measurements) -> Findings:
    """Return what was found; never raises for what the evidence holds."""
    faults: list[str] = []
    nothing: Best | None = None
    return Findings(
        comparisons=_drawn(faults, (), comparisons, evidence),
        models=_drawn(faults, (), models, evidence, measurements),
        best=_drawn(faults, nothing, best, measurements),
        overlays=_drawn(faults, (), overlays, evidence, measurements),
        faults=tuple(faults),
    )


def _drawn(faults: list[str], instead: Drawn, draw: Callable[..., Drawn], *arguments: object) -> Drawn:
    try:
        return draw(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's arrays make the libraries trip over
        faults.append(f"{draw.__name__}: {type(error).__name__}")
        return instead
