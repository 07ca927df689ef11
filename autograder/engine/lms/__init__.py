"""Grades for an LMS: Moodle's worksheet and Canvas's gradebook filled in, and a table of our own."""

from autograder.engine.lms.fill import HELP, Filled, Issue, IssueKind, Rules
from autograder.engine.lms.grades import Bonus, StudentGrade, grade_of, read_grades
from autograder.engine.lms.systems import System, fill_canvas, fill_file, fill_moodle, grades_table

__all__ = [
    "HELP",
    "Bonus",
    "Filled",
    "Issue",
    "IssueKind",
    "Rules",
    "StudentGrade",
    "System",
    "fill_canvas",
    "fill_file",
    "fill_moodle",
    "grade_of",
    "grades_table",
    "read_grades",
]
