"""The judge that is made ready while the notebook runs: the same report, and a fault of its own is the grader's."""

from pathlib import Path

import msgspec

from autograder.engine.grading.early_judge import early_judge
from autograder.engine.grading.stages import Stages
from autograder.engine.grading.task import Grading
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.report import Outcome, Profile, Timing
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, task
from tests.engine.sandboxed_kernel import needs_bubblewrap


def test_its_probes_are_the_graders(tmp_path: Path) -> None:
    """The same cells are asked for the same, and the same inputs are written."""
    asked = task(CHEAP, tmp_path)
    ours = gather_probes(find_lesson(asked.assignment.lesson))
    with early_judge(asked) as early:
        assert {cell: len(probes) for cell, probes in early.items()} == {c: len(probes) for c, probes in ours.items()}
        for name, probes in ("near", ours["task1_convolution_tests"]), ("far", early["task1_convolution_tests"]):
            (tmp_path / name).mkdir()
            requests = [probe.request("seed", tmp_path / name) for probe in probes]
            (tmp_path / name / "request.json").write_bytes(msgspec.json.encode(requests))
    near, far = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("near", "far"))
    assert near == far


@needs_bubblewrap
def test_its_report_is_the_same(tmp_path: Path) -> None:
    """A submission is graded with it and without, and graded again with it; only times differ."""
    asked = task(CHEAP, tmp_path, how=Grading(tmp_path / "graded", Profile.QUICK, force=True))
    with early_judge(asked) as early:
        finished = [Stages(asked, early).up_to_date(), Stages(asked, early).up_to_date(), Stages(asked).up_to_date()]
    first, again, plain = (msgspec.structs.replace(done.report, timing=Timing()) for done in finished)
    assert first == again == plain
    assert (first.status, first.score) == (Outcome.GRADED, CHEAP_POINTS)


@needs_bubblewrap
def test_one_that_is_killed_leaves_its_student_ungraded(tmp_path: Path) -> None:
    """No points are lost for it: the report says what ended."""
    asked = task(CHEAP, tmp_path)
    with early_judge(asked) as early:
        early._process.kill()
        report = Stages(asked, early).up_to_date().report
    assert report.status is Outcome.UNGRADED
    assert report.reason == "The judge ended with status -9; grade this submission again."
