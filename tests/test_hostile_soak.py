"""The attacks that wait for long, or stand close to another: graded for real, as one class beside two honest students."""

from collections.abc import Iterator

import pytest

from tests.arena import Arena, arena, assert_class_untouched, assert_held
from tests.sandbox_lab import needs_bubblewrap
from tests.submissions.hostile import ATTACKS, Attack

pytestmark = [needs_bubblewrap, pytest.mark.soak]
CHOSEN = [attack for attack in ATTACKS if attack.soak]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Grade them all, two at a time."""
    with arena(CHOSEN, tmp_path_factory.mktemp("arena")) as found:
        yield found


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.name)
def test_it_gains_nothing_and_gets_nowhere(attack: Attack, graded: Arena) -> None:
    """Its score is what its honest part earns, no canary is in its results, and its report says what happened, in time."""
    assert_held(attack, graded)


def test_nobody_else_noticed(graded: Arena) -> None:
    """Host files and neighbours are as before, listeners heard nothing, nothing still runs, the honest have their points."""
    assert_class_untouched(graded)
