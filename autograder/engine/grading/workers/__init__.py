"""Workers: each task in a process of its own, forked from one supervisor that has imported everything."""

from autograder.engine.grading.workers.dispatch import each

__all__ = ["each"]
