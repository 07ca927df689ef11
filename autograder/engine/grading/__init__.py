"""Grade one submission or a class, each in a process of its own, on this machine or on a cluster's."""

from autograder.engine.grading.cluster import grade_on_cluster
from autograder.engine.grading.pool import grade, grade_all, judge_all, regrade
from autograder.engine.grading.task import Finished, Grading, Work, folder_of

__all__ = [
    "Finished",
    "Grading",
    "Work",
    "folder_of",
    "grade",
    "grade_all",
    "grade_on_cluster",
    "judge_all",
    "regrade",
]
