"""Run a notebook in the sandbox and take evidence as it goes."""

from autograder.engine.collecting.collect import TIME_LIMITS, Collection, collect

__all__ = ["TIME_LIMITS", "Collection", "collect"]
