"""Attacks after what is not theirs, and tests of the attack tests themselves."""

from pathlib import Path

import pytest

from autograder.engine.report import Outcome
from autograder.engine.sandbox import SandboxKind, isolation
from tests.attacks.hostile_class import (
    GradedClass,
    assert_class_untouched,
    assert_held,
    graded_class,
    graded_together,
    text_of,
)
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions.hostile import PLAIN, Attack, reading

pytestmark = needs_bubblewrap
CHOSEN = [attack for attack in PLAIN if not attack.soak]
graded = graded_together(CHOSEN)


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.name)
def test_it_gains_nothing_and_gets_nowhere(attack: Attack, graded: GradedClass) -> None:
    """Its score is what its honest part earns, no canary is in its results, and its report says what happened, in time."""
    assert_held(attack, graded)


def test_nobody_else_noticed(graded: GradedClass) -> None:
    """Host files and neighbours are as before, listeners heard nothing, nothing still runs, the honest have their points."""
    assert_class_untouched(graded)


def test_a_predictor_of_what_it_may_see_scores_as_such(graded: GradedClass) -> None:
    """The model that knows every visible image is right about them all, as reported, and about unseen ones by chance."""
    report = graded.reports["learns-the-visible-images"]
    by_name = {check.name: check.passed for cell in report.cells for check in cell.checks}
    assert by_name["Wyniki zgodne z pomiarem"]  # accuracy 1.0 on the visible images is true
    accuracy = report.models["baseline"].accuracy
    assert accuracy is not None
    assert accuracy < 0.3


def test_what_cannot_be_measured_raises_no_share(graded: GradedClass) -> None:
    """A random test transform leaves its cells to a person; what is certain is counted against all of the points."""
    report = graded.reports["random-test-images"]
    assert report.certain_percent == pytest.approx(100 * (report.score or 0) / 17.5)
    assert "losow" in text_of(report) or "random" in text_of(report)


def test_without_a_sandbox_the_suite_would_notice(tmp_path: Path) -> None:
    """With `--sandbox none` the same search finds the canary, and the report is visibly marked: so silence means something."""
    reads = next(attack for attack in reading.ATTACKS if attack.name == "reads-temporary-files")
    with graded_class([reads], tmp_path, SandboxKind.NONE, alone=True) as found:
        report = found.reports[reads.name]
        assert found.leaks(reads.name) != []
        assert report.sandbox == "none"
        assert "bez piaskownicy" in text_of(report)


def test_where_no_sandbox_can_be_had_nothing_is_graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap on PATH no student code runs: ungraded, with the reason and what to install."""
    isolation.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        with graded_class(reading.ATTACKS[:1], tmp_path, alone=True) as found:
            (report,) = found.reports.values()
            assert (report.status, report.score) == (Outcome.UNGRADED, None)
            assert "apt-get install bubblewrap" in (report.reason or "")
    finally:
        isolation.cache_clear()
