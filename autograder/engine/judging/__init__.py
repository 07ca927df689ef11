"""Judging: hidden graders run on stored evidence, in a confined process, and become checks, cells and points."""

from autograder.engine.judging.judge import gather_probes, judge

__all__ = ["gather_probes", "judge"]
