"""Grades for an LMS: Moodle's worksheet and Canvas's gradebook filled in, and a table of our own."""

from autograder.engine.lms.fill import Filled, Finding, Matter, Rules
from autograder.engine.lms.grades import Bonus, Grade, grade_of, read_grades
from autograder.engine.lms.systems import System, fill_canvas, fill_file, fill_moodle, write_table

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
