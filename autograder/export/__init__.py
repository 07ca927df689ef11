"""Grades for an LMS: Moodle's worksheet and Canvas's gradebook filled in, and a table of our own."""

from autograder.export.canvas import fill_canvas
from autograder.export.files import System, fill_file
from autograder.export.fill import Filled, Rules
from autograder.export.findings import Finding, Matter
from autograder.export.grades import Bonus, Grade, grade_of, read_grades
from autograder.export.moodle import fill_moodle
from autograder.export.table import write_table

__all__ = [
    "Bonus",
    "Filled",
    "Finding",
    "Grade",
    "Matter",
    "Rules",
    "System",
    "fill_canvas",
    "fill_file",
    "fill_moodle",
    "grade_of",
    "read_grades",
    "write_table",
]
