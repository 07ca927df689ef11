"""Attacks on the program that runs them and on the machine: graded for real, as one class beside two honest students."""

import pytest

from tests.attacks.hostile_class import GradedClass, assert_class_untouched, assert_held, graded_together
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions.hostile import FIERCE, Attack

pytestmark = needs_bubblewrap
CHOSEN = [attack for attack in FIERCE if not attack.soak]
graded = graded_together(CHOSEN)


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.name)
def test_it_gains_nothing_and_gets_nowhere(attack: Attack, graded: GradedClass) -> None:
    """Its score is what its honest part earns, no canary is in its results, and its report says what happened, in time."""
    assert_held(attack, graded)


def test_nobody_else_noticed(graded: GradedClass) -> None:
    """Host files and neighbours are as before, listeners heard nothing, nothing still runs, the honest have their points."""
    assert_class_untouched(graded)
