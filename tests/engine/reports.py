"""A report with one cell of every kind, for tests of whatever reads or writes reports."""

import json
from pathlib import Path

from autograder.engine.report import CellReport, Check, Kind, ModelReport, Outcome, Profile, Report, Status, Timing

CELLS = (
    CellReport(
        "a_tests", "Zadanie 1", Kind.AUTO, 4.0, 3.0, Status.PARTIAL, (Check("równa", 3, passed=True, message=""),)
    ),
    CellReport("b_tests", "Zadanie 2", Kind.AUTO, 1.0, 0.1 + 0.2, Status.PARTIAL),
    CellReport("c_tests", "Zadanie 3", Kind.AUTO, 2.0, None, Status.UNDECIDED),
    CellReport("d_answer", "Odpowiedź", Kind.MANUAL, 1.5, None, Status.MANUAL),
    CellReport("e_tests", "Dla chętnych", Kind.BONUS, 0.5, 0.5, Status.PASSED),
)
REPORT = Report(
    submission="submitted/anna/cnn/cnn.ipynb",
    student="anna",
    assignment="cnn",
    profile=Profile.QUICK,
    dataset="FashionMNIST",
    sandbox="bwrap",
    status=Outcome.GRADED,
    notes=("uwaga",),
    score=3.3,
    max_score=5.0,
    bonus=0.5,
    max_bonus=0.5,
    needs_manual=("c_tests", "d_answer"),
    cells=CELLS,
    models={"baseline": ModelReport(0.9, 0.85, 1234, ("Conv2d", "Linear"), verified=True)},
    timing=Timing(1.0, 2.0, 3.0, 4.0),
    versions={"torch": "2.14"},
)


def judged_by_others(report: Path, field: str = "graders") -> None:
    """Make a stored report one that another part of the grader had made: other graders, by default."""
    document = json.loads(report.read_bytes())
    document["key"][field] = "another"
    report.write_text(json.dumps(document))
