"""The course's nbgrader settings: what a student sees in place of a solution, and that grading is ours.

What an instructor may change stands at the end.
"""

import os
import sys

c = get_config()  # type: ignore[name-defined]  # noqa: F821  traitlets puts it into a config file's namespace

# Not raising: an untouched stub runs, returns zeros, and fails its tests with a message a student can use.
c.ClearSolutions.code_stub = {"python": "# UZUPEŁNIJ TUTAJ"}
c.ClearSolutions.text_stub = "*Tu wpisz swoją odpowiedź.*"

# What the notebook says to the grader only is not for students.
c.GenerateAssignment.preprocessors.append("autograder.engine.nbgrader.private.DropPrivate")

# Running the source beside itself leaves ./data there; a data set does not belong in a release.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "data", "feedback"]

# Validate trains every model on 600 images: far more than nbgrader's 30 s where the machine is slow.
c.Execute.timeout = 600

# nbgrader starts `alembic` by name, which a virtual environment that nobody activated does not have on PATH.
os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))  # noqa: PTH120

# Student code runs in the sandbox, answers stay in the judge. Nothing of a submission but its text is read.
c.Autograde.exporter_class = "autograder.engine.nbgrader.submitted.SubmissionExporter"
c.Autograde.autograde_preprocessors = [
    "autograder.engine.nbgrader.grade.Grade",  # in the place of nbgrader.preprocessors.Execute
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.engine.nbgrader.gradebook.AmendGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.exporter_class = "autograder.engine.nbgrader.gradebook.FeedbackExporter"

# Yours to change; `c.Splot.max_bonus = 2` would give at most two bonus points a submission.
c.Splot.lang = "pl"  # or "en": what students read
c.Splot.profile = "auto"  # or "quick", "full": the data a submission is run on
c.LateSubmissionPlugin.penalty_method = "none"  # or "zero"
