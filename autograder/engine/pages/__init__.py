"""Renders reports as HTML pages, terminal text, CSV and JUnit XML."""

from autograder.engine.pages.charts import Panel, panel
from autograder.engine.pages.classpage import write_class_page
from autograder.engine.pages.feedback import Mark, leave_feedback, write_feedback
from autograder.engine.pages.junit import junit
from autograder.engine.pages.page import compile_templates, figures, percent, render, shape, whole
from autograder.engine.pages.results import by_message, findings_of, read_reports, read_result
from autograder.engine.pages.terminal import plain, print_check, print_report, print_summary

__all__ = [
    "Mark",
    "Panel",
    "by_message",
    "compile_templates",
    "figures",
    "findings_of",
    "junit",
    "leave_feedback",
    "panel",
    "percent",
    "plain",
    "print_check",
    "print_report",
    "print_summary",
    "read_reports",
    "read_result",
    "render",
    "shape",
    "whole",
    "write_class_page",
    "write_feedback",
]
