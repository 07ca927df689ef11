"""A submitted notebook, read against the instructor's: strictly, repaired, and nothing of it run."""

from autograder.engine.notebook.assignment import Assignment, Item, load_assignment
from autograder.engine.notebook.check import Checked, check, write_fixed
from autograder.engine.notebook.find import find_evidence, find_reports, find_submissions, left_out, refuse_overlap
from autograder.engine.notebook.reading import Picture, picture_kind, read_ipynb
from autograder.engine.notebook.submission import Cell, Submission, read_submission, student_of
from autograder.engine.notebook.syntax import parse_cell, plain_statements

__all__ = [
    "Assignment",
    "Cell",
    "Checked",
    "Item",
    "Picture",
    "Submission",
    "check",
    "find_evidence",
    "find_reports",
    "find_submissions",
    "left_out",
    "load_assignment",
    "parse_cell",
    "picture_kind",
    "plain_statements",
    "read_ipynb",
    "read_submission",
    "refuse_overlap",
    "student_of",
    "write_fixed",
]
