"""Reports in the forms that people and programs read."""

from autograder.engine.pages.charts import Panel, panel
from autograder.engine.pages.classpage import write_class_page
from autograder.engine.pages.feedback import Mark, leave_feedback, write_feedback
from autograder.engine.pages.junit import junit
from autograder.engine.pages.page import figures, points, shape, whole
from autograder.engine.pages.terminal import plain, print_check, print_report, print_summary

__all__ = [
    "Mark",
    "Panel",
    "figures",
    "junit",
    "leave_feedback",
    "panel",
    "plain",
    "points",
    "print_check",
    "print_report",
    "print_summary",
    "shape",
    "whole",
    "write_class_page",
    "write_feedback",
]
