"""The hidden graders of Task 4: experiments read by what the models compute, one changed thing at a time."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from autograder.engine.report import Profile
from autograder.lesson.graders import task4_experiments
from autograder.lesson.graders.student_models import CELLS as CELL_OF
from autograder.lesson.graders.training import appears
from autograder.lesson.measure import Measurements
from autograder.models.rebuild import StepKind
from tests.lesson.staged_notebook import StagedNotebook, message_of
from tests.submissions.experiments import ONE_CLASS, READY, RIGHT_STUDENTS
from tests.submissions.fitted import COUNTS, FITTED_CELLS
from tests.submissions.networks import HEAD
from tests.submissions.slips import WRONG_WAYS
from tests.unsandboxed import DATA, cell_of, failed, judged

CELLS = ("task3_architecture_tests", *(f"task4_exp{number}_tests" for number in range(1, 6)))
STRUCTURE: dict[str, Callable[..., None]] = {
    "max_pool": partial(task4_experiments.test_pooling, "max_pool", StepKind.MAX_POOL, StepKind.AVG_POOL),
    "avg_pool": partial(task4_experiments.test_pooling, "avg_pool", StepKind.AVG_POOL, StepKind.MAX_POOL),
    "gap": task4_experiments.test_gap,
    "regularized": task4_experiments.test_regularized,
    "deep": task4_experiments.test_deep,
    "custom": task4_experiments.test_custom,
}


def structure(notebook: StagedNotebook) -> dict[str, str]:
    """Return what the checks of architecture say, by model, of those that do not pass."""
    measured = Measurements(notebook.evidence)
    messages = {model: message_of(check, measured) for model, check in STRUCTURE.items()}
    return {model: message for model, message in messages.items() if message}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> StagedNotebook:
    """Seven right models of one parametrised class."""
    return StagedNotebook.run(tmp_path_factory.mktemp("right"), HEAD, READY, ONE_CLASS, cells=CELLS)


@pytest.mark.parametrize("student", RIGHT_STUDENTS)
def test_right_experiments_pass_however_they_are_written(student: str, tmp_path: Path) -> None:
    """Every style of writing the seven models passes all checks of architecture."""
    assert structure(StagedNotebook.run(tmp_path, HEAD, RIGHT_STUDENTS[student], cells=CELLS)) == {}


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_a_wrong_experiment_fails_alone(way: str, right: StagedNotebook, tmp_path: Path) -> None:
    """What is wrong with one model fails its check with a message that says so, and no other model's."""
    wrong = WRONG_WAYS[way]
    notebook = right.then(tmp_path, f'models["{wrong.model}"] = ready({wrong.code})', f"{CELL_OF[wrong.model]}_tests")
    messages = structure(notebook)
    assert list(messages) == [wrong.model]
    assert wrong.said in messages[wrong.model]


@pytest.mark.parametrize("name", ["max_pool", "avg_pool", "gap", "regularized", "deep"])
def test_a_missing_experiment_costs_its_own_points_only(name: str, right: StagedNotebook, tmp_path: Path) -> None:
    """Without one model the others are still judged, against the nearest experiment before that is there."""
    notebook = right.then(tmp_path, f'del models["{name}"]', f"{CELL_OF[name]}_tests")
    assert list(structure(notebook)) == [name]


TASK_4 = [*(f"task4_exp{number}_tests" for number in range(1, 6)), "task4_single_loop_tests"]


def test_trained_and_truly_reported_experiments_get_all_points(tmp_path: Path) -> None:
    """Models that beat chance, true results, complete histories, printed counts and one loop: 5.5 of 5.5."""
    printed = "\n".join(f"epoch 10 {count:,}" for count in COUNTS.values())
    report = judged({"task3_data": DATA, **FITTED_CELLS}, tmp_path, profile=Profile.QUICK, printed=printed)
    assert [failed(report, cell) for cell in TASK_4] == [{}] * len(TASK_4)
    assert sum(cell_of(report, cell).score or 0 for cell in TASK_4) == 5.5


PRINTED = {"1234567": True, "(1,234,567)": True, "1 234 567": True, "n=1234567.": True, "epoch 12 1.234.567": True}
NOT_PRINTED = {"11234567": False, "12345670": False, "9,1,234,567": False, "1,234,5678": False}


@pytest.mark.parametrize(("text", "there"), (PRINTED | NOT_PRINTED).items())
def test_a_count_is_found_however_it_is_written(text: str, there: bool) -> None:
    """Thousands may be separated, other numbers may stand beside it; it must not be part of a longer one."""
    assert appears(1_234_567, text) == there


FLIPPED = """
testset = datasets.FashionMNIST(DATA_FOLDER, train=False, transform=transforms.Compose(
    [transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
"""
FEW = {
    "two that cannot be measured": (FLIPPED, "? "),
    "one": ("models = {'gap': models['gap']}", "This part counts once"),
}


@pytest.mark.parametrize("case", FEW)
def test_one_loop_counts_once_it_trained_two_models(case: str, right: StagedNotebook, tmp_path: Path) -> None:
    """With one model there is nothing to say for the loop; where none can be measured a person decides."""
    code, message = FEW[case]
    notebook = right.then(tmp_path, code, *CELLS)
    (tmp_path / "notebook.ipynb").write_text('{"cells": []}')
    assert message_of(
        task4_experiments.test_single_loop, Measurements(notebook.evidence), notebook.evidence
    ).startswith(message)
