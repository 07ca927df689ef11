"""The `splot` command: the only place that prints and exits.

Each command imports what it needs when it runs: `splot --help` must not wait for torch.
"""

from autograder.cli.app import ASSIGNMENT, app, main
from autograder.cli.grading import exit_code  # isort: split

from autograder.cli import audit, course, lms  # in the order in which --help lists them

__all__ = ["ASSIGNMENT", "app", "audit", "course", "exit_code", "lms", "main"]
