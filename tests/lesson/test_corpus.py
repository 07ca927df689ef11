"""The graders agree with the corpus: what trains nothing here, in one process; the rest, in the sandbox, in `make soak`."""

from pathlib import Path

import pytest

from autograder.engine.audit import SampleAudit, audit_corpus, describe, is_fault
from autograder.engine.audit.compare import compare
from autograder.engine.grading import Grading
from autograder.engine.notebook import load_assignment
from autograder.engine.report import Profile
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions.build import ROOT
from tests.submissions.corpus import CORPUS, cells_of, is_light
from tests.unsandboxed import judged
from tools.audit_table import corpus_table

LIGHT = [name for name, sample in CORPUS.items() if is_light(sample)]
SAMPLE = LIGHT[::3]
"""The part that `make test` has time for."""


def faults(audited: SampleAudit) -> list[str]:
    """Say what disagrees with the row."""
    assert audited.reason is None
    return [describe(check) for check in audited.checks if is_fault(check)]


def test_no_two_are_equal() -> None:
    """Each adds something; a summary names it."""
    assert len({str(sample.answers) for sample in CORPUS.values()}) == len(CORPUS)
    assert len({sample.row.summary for sample in CORPUS.values()}) == len(CORPUS)


def test_the_document_is_of_this_corpus() -> None:
    """docs/audit.md tells of the submissions there are; if not, run `splot audit` again, and `python -m tools.audit_table`."""
    assert corpus_table(CORPUS.values()) in (ROOT / "docs" / "audit.md").read_text("utf-8")


@pytest.mark.parametrize(
    "name", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.soak) for name in LIGHT]
)
def test_what_trains_nothing(name: str, tmp_path: Path) -> None:
    """Right work loses nothing; wrong work loses what its row says, with the message that names the mistake."""
    sample = CORPUS[name]
    assert faults(compare(sample, judged(cells_of(sample), tmp_path))) == []


@pytest.mark.soak
@needs_bubblewrap
@pytest.mark.parametrize("name", sorted(CORPUS.keys() - set(LIGHT)))
def test_what_trains(name: str, tmp_path: Path) -> None:
    """The same of whole work, graded for real; on `quick` a figure may be left open."""
    how = Grading(tmp_path, Profile.QUICK)
    (audited,) = audit_corpus([CORPUS[name]], load_assignment(), how)
    assert faults(audited) == []
