"""Run a notebook in the sandbox and collect evidence at its test cells."""

from autograder.engine.collecting.collect import TIME_LIMITS, Collection, collect, versions
from autograder.engine.collecting.turn import Turn

__all__ = ["TIME_LIMITS", "Collection", "Turn", "collect", "versions"]
