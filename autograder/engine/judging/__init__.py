"""Judging: run the hidden graders on stored evidence, in a confined process, and turn results into points."""

from autograder.engine.judging.judge import gather_probes, judge

__all__ = ["gather_probes", "judge"]
