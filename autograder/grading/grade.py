"""Grade one submission, or judge its evidence again, in a process of its own.

What happens there stands in `stages.py`. Whatever a notebook does, a report is written.
"""

from pathlib import Path

from autograder.grading.task import Grading, Task, to_grade, to_judge
from autograder.grading.workers import each
from autograder.language import Lang
from autograder.notebook.assignment import Assignment
from autograder.report import Report


def grade(path: Path, assignment: Assignment, how: Grading) -> Report:
    """Grade the notebook at `path` and write its report below `how.out`; never raises for what is in the notebook."""
    return _report(to_grade(path, assignment, how))


def regrade(folder: Path, assignment: Assignment, lang: Lang) -> Report:
    """Judge the evidence below one student's folder again, and write the report anew; no student code runs."""
    return _report(to_judge(folder, assignment, Grading(out=folder.parent.parent, lang=lang)))


def _report(task: Task) -> Report:
    (report,) = each([task])
    return report
