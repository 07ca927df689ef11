"""Grading end to end: real notebooks, real sandbox, real Fashion-MNIST, no step replaced."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import nbformat
import pytest

from autograder.engine.grading.pool import grade, regrade
from autograder.engine.grading.task import Grading, folder_of
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import CellReport, Kind, Outcome, Profile, Report, Status, read_report
from autograder.engine.text import Lang
from autograder.lesson.datasets import available
from autograder.lesson.observations import LessonEvidence
from reference.data import Dataset
from tests.submissions import RIGHT, WRONG, build
from tests.submissions.build import RELEASE
from tests.submissions.right import TASK_1, TASK_2, TASK_3

FIRST_TASKS = TASK_1 | TASK_2 | TASK_3
NO_TRAINING = {"task3_baseline": "", "install": "import os\nimport numpy as np\nimport torch\nimport torch.nn as nn"}


def graded(cells: Mapping[str, str], folder: Path, **options: object) -> Report:
    """Build a submission and grade it on `quick`."""
    notebook = build(cells, folder / "submitted", "ola")
    how = Grading(out=folder / "graded", **({"profile": Profile.QUICK} | options))  # type: ignore[arg-type]
    return grade(notebook, load_assignment(), how)


def points(report: Report, *tasks: str) -> float:
    """Sum the scores of the cells that are not a bonus and belong to these tasks."""
    cells = [cell for cell in report.cells if cell.kind is Kind.AUTO and cell.id.startswith(tasks)]
    return sum(cell.score or 0 for cell in cells)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """Grade Tasks 1 to 3 done right."""
    folder = tmp_path_factory.mktemp("right")
    return graded(FIRST_TASKS, folder), folder


def test_a_right_submission_gets_full_marks(right: tuple[Report, Path]) -> None:
    """Tasks 1 to 3 done right: 12 of 12, bonus 1 of 1, the model verified, no note."""
    report, _ = right
    assert report.status is Outcome.GRADED
    assert points(report, "task1", "task2", "task3") == 12
    assert report.bonus == 1
    assert report.models["baseline"].verified
    assert report.models["baseline"].layers == ("Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear")
    assert (report.sandbox, report.dataset, report.notes) == ("bwrap", "FashionMNIST", ())


def test_the_report_on_disk_is_the_report(right: tuple[Report, Path]) -> None:
    """`report.json` holds what `grade` returned."""
    report, folder = right
    assert read_report(folder / "graded" / "ola" / "cnn" / "report.json") == report


def test_judging_again_gives_the_same_without_student_code(right: tuple[Report, Path]) -> None:
    """The stored evidence alone repeats every score and message; only the judge's own time differs."""
    report, folder = right
    again = regrade(folder_of(folder / "graded", "ola", load_assignment()), load_assignment(), Lang.PL)
    assert msgspec.structs.replace(again, timing=report.timing) == report


def test_evidence_holds_no_answer(right: tuple[Report, Path]) -> None:
    """What the sandbox left is inputs' answers and models; of the judge's there are its findings, for pages."""
    _, folder = right
    evidence = folder / "graded" / "ola" / "cnn" / "evidence"
    names = {str(path.relative_to(evidence)).split("/")[0] for path in evidence.rglob("*") if path.is_file()}
    assert names == {"evidence.json", "notebook.ipynb", "arrays", "models", "transform", "findings.json"}


def test_the_untouched_release_scores_nothing(tmp_path: Path) -> None:
    """The release as it is: 0 points, 0 bonus, graded without an error, nothing left to `full`."""
    report = graded({}, tmp_path)
    assert (report.status, report.score, report.bonus) == (Outcome.GRADED, 0, 0)
    assert {cell.status for cell in report.cells} <= {Status.FAILED, Status.MISSING, Status.MANUAL}
    assert report.max_score == 17.5


@pytest.mark.soak
def test_mistakes_cost_what_they_cost_and_are_named(tmp_path: Path) -> None:
    """The typical wrong submission of Tasks 1 to 3: each mistake loses its own points, in Polish words."""
    cells = {name: source for name, source in WRONG.items() if name in FIRST_TASKS}
    report = graded(cells, tmp_path)
    by_id = {cell.id: cell for cell in report.cells}
    scores = {name: cell.score for name, cell in by_id.items() if name.startswith(("task1", "task2", "task3"))}
    assert scores == {
        "task1_convolution_tests": 1,  # the sheet's cases cannot tell a rotated kernel
        "task1_matrix_tests": 0,
        "task1_same_tests": 0,
        "task2_case_1_tests": 0,
        "task2_case_2_tests": 0,
        "task2_case_3_tests": 1,
        "task3_architecture_tests": 1.2,
        "task3_training_tests": 0.8,
        "task3_accuracy_tests": 2,
    }
    assert "obrócony o 180°" in said(by_id["task1_convolution_tests"])
    assert "padding" in said(by_id["task2_case_1_tests"])
    assert "nie procenty" in said(by_id["task3_training_tests"])


def said(cell: CellReport) -> str:
    """Return all messages of a cell."""
    return "\n".join(check.message for check in cell.checks)


def test_a_data_set_that_is_not_here_is_ungraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 chosen where only Fashion-MNIST is: no zero but no grade, with the reason."""
    monkeypatch.setenv("SPLOT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    report = graded({"task3_data": 'DATASET = "CIFAR10"'}, tmp_path)
    assert (report.status, report.score) == (Outcome.UNGRADED, None)
    assert "CIFAR10" in (report.reason or "")


def test_what_size_may_cause_is_tried_again_on_full(tmp_path: Path) -> None:
    """A split by 60,000 fails on `quick`; on `auto` it is the `full` run that decides, and nothing is lost."""
    cells = NO_TRAINING | {
        "task3_baseline": """
from torch.utils.data import random_split
a, b = random_split(trainset, [55000, 5000])
models["baseline"] = nn.Sequential(
    nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 10))
""",
        "install": RIGHT_IMPORTS,
    }
    quick = graded(cells, tmp_path / "quick")
    architecture = next(cell for cell in quick.cells if cell.id == "task3_architecture_tests")
    assert (architecture.status, architecture.score) == (Status.UNDECIDED, None)
    assert "random_split" in architecture.checks[0].message or "ValueError" in architecture.checks[0].message
    auto = graded(cells, tmp_path / "auto", profile=Profile.AUTO)
    assert auto.profile is Profile.FULL
    assert points(auto, "task3_architecture") == 2


WEAK = FIRST_TASKS | {
    "task3_baseline": """
small = nn.Sequential(
    nn.Conv2d(1, 4, 5, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(100, 10))
fit("baseline", small, epochs=2, lr=1e-6)
curves("baseline")
""",
    "task4_exp1": 'print("eksperyment pierwszy")',
}
"""A small baseline that learns slowly; after it a cell that must not run twice."""


def test_an_open_accuracy_takes_the_data_it_needs_and_no_more(tmp_path: Path) -> None:
    """It is out of reach on 24,000 images, so that all are not tried, and what follows Task 3 is not run again.

    All else stays as `quick` settled it, judging again gives the same, and grading again does nothing.
    """
    report = graded(WEAK, tmp_path, profile=Profile.AUTO)
    cells = {cell.id: cell for cell in report.cells}
    accuracy = cells["task3_accuracy_tests"]
    assert (accuracy.score, accuracy.status, accuracy.profile) == (0, Status.FAILED, Profile.MEDIUM)
    assert "24000" in said(accuracy)
    assert (report.profile, report.may_gain) == (Profile.MEDIUM, False)
    for name in ("task1_convolution_tests", "task2_case_1_tests", "task3_architecture_tests", "task4_exp1_tests"):
        assert cells[name].profile is Profile.QUICK
    assert points(report, "task1", "task2", "task3_architecture") == 9
    evidence = tmp_path / "graded" / "ola" / "cnn" / "evidence"
    first, more = LessonEvidence(evidence), LessonEvidence(evidence / "medium")
    assert ["eksperyment pierwszy" in found.notebook.printed for found in (first, more)] == [True, False]
    assert more.file.until == "task3_accuracy_tests"
    again = regrade(evidence.parent, load_assignment(), Lang.PL)
    assert msgspec.structs.replace(again, timing=report.timing) == report
    assert graded(WEAK, tmp_path, profile=Profile.AUTO) == again


RIGHT_IMPORTS = """
import os
import numpy as np
import torch
import torch.nn as nn
from torchvision import datasets, transforms
"""


def test_the_sandbox_cannot_read_a_neighbours_file(tmp_path: Path) -> None:
    """A file beside the submission, and a variable of the grader's environment, are not there inside."""
    (tmp_path / "submitted").mkdir()
    (tmp_path / "submitted" / "canary").write_text("canary-5309")
    os.environ["SPLOT_CANARY"] = "canary-5309"
    try:
        graded(
            NO_TRAINING
            | {
                "task1_convolution": f"import os\nprint(os.path.exists({str(tmp_path)!r}), 'SPLOT_CANARY' in os.environ)"
            },
            tmp_path,
        )
    finally:
        del os.environ["SPLOT_CANARY"]
    evidence = LessonEvidence(tmp_path / "graded" / "ola" / "cnn" / "evidence")
    assert "False False" in evidence.notebook.printed


@pytest.mark.soak
def test_the_whole_lesson_done_right_gets_everything(tmp_path: Path) -> None:
    """Tasks 1 to 5 done right: 17.5 of 17.5 by machine, bonus 3 of 3, two answers left to a person."""
    report = graded(RIGHT, tmp_path)
    assert (report.score, report.max_score, report.bonus, report.max_bonus) == (17.5, 17.5, 3, 3)
    assert report.needs_manual == ("task4_exp5_answer", "task4_comparison")


@pytest.mark.soak
@pytest.mark.skipif(
    not available(Dataset.CIFAR10), reason="needs CIFAR-10: set SPLOT_DATA to the folder of its batches"
)
def test_on_cifar10_the_whole_lesson_loses_nothing(tmp_path: Path) -> None:
    """Tasks 1 to 5 done right on CIFAR-10: on `quick` what little data may cause is open, nothing is lost, the CAM is right."""
    source = next(c.source for c in nbformat.read(RELEASE, 4).cells if "task3_data" in c.metadata.get("tags", ()))
    chosen = source.replace('DATASET = "FashionMNIST"', 'DATASET = "CIFAR10"')
    report = graded(RIGHT | {"task3_data": chosen}, tmp_path)
    assert (report.status, report.dataset, report.bonus) == (Outcome.GRADED, "CIFAR10", 3)
    lost = {cell.id: said(cell) for cell in report.cells if cell.score is not None and cell.score < cell.points}
    assert lost == {}
    assert (report.score or 0) >= 12
