"""Reads and repairs a submitted notebook against the instructor's, without running it."""

from autograder.engine.notebook.assignment import Assignment, Item, find_release, load_assignment
from autograder.engine.notebook.find import find_evidence, find_reports, find_submissions, left_out, refuse_overlap
from autograder.engine.notebook.reading import Picture, joined_text, picture_kind, read_ipynb
from autograder.engine.notebook.repair import Cell
from autograder.engine.notebook.submission import (
    CheckResult,
    Submission,
    check,
    of_students,
    read_submission,
    student_of,
    submitted_bytes,
    write_fixed,
)
from autograder.engine.notebook.syntax import parse_cell, plain_statements

__all__ = [
    "Assignment",
    "Cell",
    "CheckResult",
    "Item",
    "Picture",
    "Submission",
    "check",
    "find_evidence",
    "find_release",
    "find_reports",
    "find_submissions",
    "joined_text",
    "left_out",
    "load_assignment",
    "of_students",
    "parse_cell",
    "picture_kind",
    "plain_statements",
    "read_ipynb",
    "read_submission",
    "refuse_overlap",
    "student_of",
    "submitted_bytes",
    "write_fixed",
]
