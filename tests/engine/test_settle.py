"""What one run left open, the next on more data settles; what was settled before is never touched."""

from collections.abc import Mapping

import msgspec
import pytest

from autograder.engine.evidence.records import CellRun, Failure, Fault
from autograder.engine.grading.settle import last_open_cell, settle
from autograder.engine.report import CellReport, Check, Kind, ModelReport, Profile, Report, Status, Timing
from tests.engine.reports import REPORT

OPEN = Check("accuracy", 1, None, "0.70 of 0.81", more_data=True)


def cell(name: str, *checks: Check, status: Status = Status.UNDECIDED, points: float = 2.0) -> CellReport:
    """Make a cell's report; a score only where nothing is open."""
    undecided = any(check.passed is None for check in checks)
    gained = sum(check.weight for check in checks if check.passed) / sum(check.weight for check in checks)
    score = None if undecided else points * gained
    return CellReport(name, name, Kind.AUTO, points, score, status, checks, Profile.QUICK)


def report(*cells: CellReport, **more: object) -> Report:
    """Make a report of these cells."""
    return msgspec.structs.replace(REPORT, cells=cells, **more)


def test_only_open_checks_are_taken_from_the_later_run() -> None:
    """A cell that passed on `quick` stays passed where more data brought a limit; of an open cell its other checks stay."""
    before = report(
        cell("architecture", Check("layers", 1, passed=True, message=""), status=Status.PASSED),
        cell("training", Check("history", 1, passed=True, message=""), OPEN),
    )
    slow = Check("history", 1, passed=False, message="too slow")
    after = report(
        cell("architecture", Check("layers", 1, passed=False, message="too slow"), status=Status.TIMEOUT),
        msgspec.structs.replace(
            cell("training", slow, Check("accuracy", 1, passed=True, message=""), status=Status.TIMEOUT),
            profile=Profile.MEDIUM,
        ),
        profile=Profile.MEDIUM,
    )
    settled = settle(before, after)
    assert [(c.score, c.status, c.profile) for c in settled.cells] == [
        (2, Status.PASSED, Profile.QUICK),
        (2, Status.PASSED, Profile.MEDIUM),
    ]
    assert (settled.score, settled.max_score, settled.profile, settled.may_gain) == (4, 4, Profile.MEDIUM, False)


@pytest.mark.parametrize(
    ("later", "status", "score"),
    [
        (Check("accuracy", 1, passed=False, message="0.75"), Status.PARTIAL, 1),
        (Check("accuracy", 1, None, "still", more_data=True), Status.UNDECIDED, None),
        (Check("accuracy", 1, None, "for a person"), Status.UNDECIDED, None),
    ],
)
def test_an_open_check_becomes_what_the_later_run_says(later: Check, status: Status, score: float | None) -> None:
    """Failed, open still, or for a person."""
    history = Check("history", 1, passed=True, message="")
    before = report(cell("training", history, OPEN))
    settled = settle(before, report(cell("training", history, later, status=Status.FAILED)))
    assert (settled.cells[0].status, settled.cells[0].score, settled.cells[0].checks[1]) == (status, score, later)
    assert settled.needs_manual == (("training",) if score is None else ())
    assert settled.may_gain is later.more_data


def test_a_limit_met_on_more_data_is_named() -> None:
    """Where the open check was not reached in time, the cell says so."""
    after = report(cell("training", Check("accuracy", 1, passed=False, message="900 s"), status=Status.TIMEOUT))
    assert settle(report(cell("training", OPEN)), after).cells[0].status is Status.TIMEOUT


def test_models_notes_and_times_of_both_runs_stand() -> None:
    """The later figure of a model that the later run measured; the earlier one of a model that it did not reach."""

    def model(accuracy: float, *, verified: bool = True) -> ModelReport:
        return ModelReport(accuracy, 0.8, 10, (), verified)

    before = report(cell("a", OPEN), models={"baseline": model(0.7), "gap": model(0.6)}, timing=Timing(1, 2, 3, 4))
    unverified = {"baseline": model(0.8), "gap": model(0.0, verified=False)}
    settled = settle(before, report(cell("a", OPEN), models=unverified, timing=Timing(1, 20, 1, 1), notes=("cut",)))
    assert {name: found.accuracy for name, found in settled.models.items()} == {"baseline": 0.8, "gap": 0.6}
    assert settled.timing == Timing(2, 22, 4, 5)
    assert settled.notes[-1] == "cut"


class Ran:
    """Stands for evidence: the cells that ran, some of which failed."""

    def __init__(self, runs: Mapping[str, bool]) -> None:
        self.file = self.notebook = self
        failure = Failure(Fault.ERROR, "ValueError")
        self.runs = tuple(
            CellRun(index, name, 1.0, None if right else failure) for index, (name, right) in enumerate(runs.items())
        )

    def locked(self, index: int) -> bool:
        """Whether a cell is the instructor's: the one called "tests"."""
        return self.runs[index].grade_id == "tests"


def test_the_later_run_ends_at_the_last_open_cell() -> None:
    """In the notebook's order; the whole notebook runs where a cell of the student's failed, perhaps for want of data."""
    found = report(cell("b", OPEN), cell("a", OPEN), cell("c", Check("x", 1, passed=True, message="")))
    ran = dict.fromkeys(("a", "b", "c", "tests"), True)
    assert last_open_cell(found, Ran(ran)) == "b"  # type: ignore[arg-type]
    assert last_open_cell(found, Ran(ran | {"tests": False})) == "b"  # type: ignore[arg-type]
    assert last_open_cell(found, Ran(ran | {"c": False})) is None  # type: ignore[arg-type]


def test_what_follows_from_a_failed_cell_is_settled_anew() -> None:
    """Where less data made a cell fail, a check that failed is taken from the later run as well; one that passed stays."""
    before = report(
        cell("training", Check("plot", 1, passed=False, message="none"), OPEN),
        cell("other", Check("a", 1, passed=False, message="no"), Check("b", 1, passed=True, message="")),
    )
    after = report(
        cell("training", Check("plot", 1, passed=True, message=""), Check("accuracy", 1, passed=True, message="")),
        cell("other", Check("a", 1, passed=True, message=""), Check("b", 1, passed=False, message="no")),
    )
    assert [found.score for found in settle(before, after, failed_too=True).cells] == [2, 2]
    assert [found.score for found in settle(before, after).cells] == [1, 1]
