"""Mutated evidence: one clear refusal or the truth, in bounded memory; never a crash, never points gained."""

import gc
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence.records import Record
from autograder.engine.judging.judge import judge
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import Outcome, Report
from autograder.lesson.observations import (
    CallRecord,
    DataRecord,
    LessonEvidence,
    MapRecord,
    ModelRecord,
    call_array,
    map_array,
    random_images,
)
from autograder.lesson.transform import UnknownTransformError, recover
from autograder.models.rebuild import rebuild_model
from tests.engine.mutations_folder import change_folder
from tests.submissions.fitted import FITTED_CELLS
from tests.submissions.right import TASK_1, TASK_2, TASK_5
from tests.unsandboxed import DATA, judged

ASSIGNMENT = load_assignment()
CELLS = {
    "task1_convolution": TASK_1["task1_convolution"],
    "task1_matrix": TASK_1["task1_convolution"].replace("def convolution", "def convolution_matrix"),
    **TASK_2,
    "task2_case_2": "case_2 = nn.Conv2d(1, 1, 3)",
    "task3_data": DATA,
    **{name: FITTED_CELLS[name] for name in ("task3_model", "task3_training", "task3_baseline", "task4_exp2")},
    "task5_cam": TASK_5["task5_cam"].partition("for i in")[0],
}
READABLE = {"arrays", "models", "transform", "evidence.json", "notebook.ipynb"}
PEAK_KB = 1_000_000
T = TypeVar("T")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """LessonEvidence that the real probe took of a submission that is right in part, and its report."""
    folder = tmp_path_factory.mktemp("evidence")
    report = judged(CELLS, folder, printed="332 34832")
    assert 0 < (report.score or 0) < (report.max_score or 0)
    for path in folder.iterdir():
        if path.name not in READABLE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder, report


def mutations(original: Path, folder: Path, seed: int, count: int) -> Iterator[tuple[Path, str]]:
    """Yield that many changed copies of the evidence, one at a time, and what was changed in each."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        yield copy, change_folder(copy, draw)


def attempt(read: Callable[[], T]) -> T | None:
    """Return what is read, or None where it is refused in one sentence; anything else propagates."""
    try:
        return read()
    except (EvidenceError, UnknownTransformError) as refusal:
        sentence = str(refusal)
    assert sentence
    assert len(sentence) < 1_000
    assert "\n" not in sentence
    return None


def read_all(folder: Path) -> bool:
    """Read all that a folder of evidence holds; return whether `evidence.json` could be read."""
    evidence = attempt(lambda: LessonEvidence(folder))
    if evidence is None:
        return False
    attempt(lambda: (evidence.notebook.printed, evidence.ran_before("")))
    for cell, records in evidence.taken.items():
        for record in records:
            attempt(partial(_read, evidence, cell, record))
    return True


def _read(evidence: LessonEvidence, cell: str, record: Record) -> None:
    """Read the files that one record speaks of, as the judge does."""
    if isinstance(record, CallRecord):
        evidence.array(*call_array(cell, record).split("/"))
    elif isinstance(record, MapRecord):
        evidence.array("arrays", map_array(record))
    elif isinstance(record, DataRecord):
        raw = torch.from_numpy(random_images(evidence.file.seed, "grey"))
        recover(record, raw, evidence.array("transform", "random.npy"))(raw)
    elif isinstance(record, ModelRecord):
        evidence.array("models", record.name, "outputs.npy")
        for train in (False, True):
            model = rebuild_model(evidence.folder / "models" / record.name, train=train)
            model(torch.zeros(model.input_shape))


def assert_no_gain(folder: Path, report: Report) -> None:
    """Judge mutated evidence: it is refused, or graded with no cell worth more than before; never a fault of the grader's."""
    judged_again = attempt(lambda: judge(folder, ASSIGNMENT))
    if judged_again is None:
        return
    assert judged_again.status is Outcome.GRADED
    before = {cell.id: cell.score for cell in report.cells}
    gains = {cell.id: cell.score for cell in judged_again.cells if (cell.score or 0.0) > (before[cell.id] or 0.0)}
    assert gains == {}


def run(original: tuple[Path, Report], folder: Path, seed: int, count: int, every: int) -> int:
    """Read that many mutations, judge every so manieth; return how many could be read at all."""
    read = 0
    for number, (copy, done) in enumerate(mutations(original[0], folder, seed, count)):
        try:
            read += read_all(copy)
            if number % every == 0:
                assert_no_gain(copy, original[1])
                gc.collect()  # pytest's session and the images it measured on hold each other
        except Exception as error:
            raise AssertionError(f"seed {seed}, number {number}: {done}") from error
    return read


def test_mutated_evidence_is_refused_or_judged_without_gain(original: tuple[Path, Report], tmp_path: Path) -> None:
    """A sample of fixed seed: some of it is still evidence, some not, and none of it is worth more than before."""
    assert 0 < run(original, tmp_path, seed=1, count=80, every=20) < 80


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_much_mutated_evidence_is_refused_or_judged_without_gain(
    original: tuple[Path, Report], tmp_path: Path, seed: int
) -> None:
    """Ten times a thousand, every fiftieth judged, within a gigabyte more than before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 0 < run(original, tmp_path, seed=seed, count=1_000, every=50) < 1_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < PEAK_KB
