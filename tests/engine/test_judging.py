"""A judge that ends while it works on a part costs that part, named, and never the report."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence.reader import read_findings
from autograder.engine.grading.task import Grading, JudgeLimits
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.part_tracker import Part, PartFailure, PartFailureCause, PartFailureError, PartTracker
from autograder.engine.report import Outcome, Profile, Report, Status
from autograder.engine.text import Lang
from autograder.lesson import measure
from autograder.lesson.findings import CNNFindings
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence
from tests.engine.interrupted_runs import again, done
from tests.submissions.right import TASK_2
from tests.unsandboxed import DATA, cell_of, write_evidence

pytestmark = pytest.mark.usefixtures("english")

NETWORKS = """
def network(channels):
    return nn.Sequential(nn.Conv2d(1, channels, 5, 2), nn.ReLU(), nn.Conv2d(channels, 4, 5, 2), nn.ReLU(), nn.Flatten(),
                         nn.Linear(64, 10))

models |= {name: network(2 + i) for i, name in enumerate(["baseline", "max_pool", "avg_pool", "deep"])}
"""
TASK_2_CELLS = [f"task2_case_{n}_tests" for n in (1, 2, 3)]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task 2 done right and four untrained networks, three of them spoilt, as evidence; return the student's folder.

    `max_pool` takes very long, `avg_pool` and `deep` compute something that is harmless but in `ENDING`.
    """
    folder = tmp_path_factory.mktemp("graded") / "anna" / "cnn"
    (folder / "evidence").mkdir(parents=True)
    cells = TASK_2 | {"task3_data": DATA, "task3_model": NETWORKS}
    write_evidence(cells, folder / "evidence", profile=Profile.QUICK, images={}, printed="")
    plant(folder, "max_pool", *slow(40))
    plant(folder, "avg_pool", node("end", "erf.default", {"node": "linear"}))
    plant(folder, "deep", node("end", "sin.default", {"node": "linear"}))
    return folder


def plant(folder: Path, model: str, *operations: Document) -> None:
    """Let a model compute more: operations whose last, summed and times zero, is added to its scores."""
    path = folder / "evidence" / "models" / model / "graph.json"
    document = json.loads(path.read_text())
    document["nodes"] += [
        *operations,
        node("summed", "sum.default", {"node": operations[-1]["name"]}),
        node("nothing", "mul.Scalar", {"node": "summed"}, 0),
        node("both", "add.Tensor", {"node": document["output"]}, {"node": "nothing"}),
    ]
    document["output"] = "both"
    path.write_text(json.dumps(document))


def node(name: str, op: str, *args: object) -> Document:
    """One operation as it stands in a graph."""
    return {"name": name, "op": f"aten.{op}", "args": list(args), "kwargs": {}, "shape": None, "dtype": None,
            "autocast": None}  # fmt: skip


def slow(steps: int) -> list[Document]:
    """So many products of large matrices, each read by the next: within all bounds, and a minute for each batch."""
    begin = [
        node("mean", "mean.default", {"node": "linear"}),
        node("m0", "expand.default", {"node": "mean"}, [3000, 3000]),
    ]
    return begin + [node(f"m{i + 1}", "matmul.default", {"node": f"m{i}"}, {"node": "m0"}) for i in range(steps)]


def messages(report: Report, cell: str) -> str:
    """All that a cell's checks say."""
    return "\n".join(check.message for check in cell_of(report, cell).checks)


@pytest.mark.soak
def test_a_model_past_its_time_costs_its_own_checks(taken: Path) -> None:
    """`splot judge` gives the points of Task 2 and measures the other models; the slow one has 0, with its time limit."""
    report = done(again(taken, Grading(Path(), lang=Lang.EN, judge=JudgeLimits(part_seconds=20))))
    assert report.status is Outcome.GRADED, report.reason
    assert [cell_of(report, cell).status for cell in TASK_2_CELLS] == [Status.PASSED] * 3
    assert {name for name, model in report.models.items() if model.verified} == {"baseline", "avg_pool", "deep"}
    pooling = cell_of(report, "task4_exp1_tests")
    assert (pooling.status, pooling.score) == (Status.TIMEOUT, 0)
    assert 'models["max_pool"] could not be judged: it took more than 20 s.' in messages(report, pooling.id)
    assert "max_pool" not in messages(report, "task4_exp4_tests")


ENDING = """
import ctypes, signal, sys
from pathlib import Path
import torch
from autograder.lesson import pictures
from autograder.lesson.graders import own_code
from autograder.engine.grading.judge_process import judged
from autograder.engine.grading.task import Grading, JudgeLimits, to_judge
from autograder.engine.text import Lang
from autograder.models.rebuild.operations import functions
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import encode

def crash(*_):
    ctypes.string_at(0)

def exhaust(value):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

torch.set_num_threads(1)
functions()["aten.matmul.default"] = lambda *_: signal.raise_signal(signal.SIGKILL)  # as the kernel would
functions()["aten.erf.default"] = crash
functions()["aten.sin.default"] = exhaust
own_code.training_loops = crash
pictures.draw_findings = crash
how = Grading(Path(), lang=Lang.EN, judge=JudgeLimits(seconds=300))
sys.stdout.buffer.write(encode(judged(to_judge(Path(sys.argv[1]), load_assignment(), how), Path(sys.argv[1], "evidence"))))
"""


def test_a_judge_that_dies_leaves_a_report_without_what_it_died_of(taken: Path) -> None:
    """SIGSEGV, no memory and SIGKILL each at a model, SIGSEGV in another check and in the pages' drawing: five processes.

    What the models brought about is 0, what they perhaps did not is for a person, and Task 2 keeps its points.
    """
    ended = subprocess.run([sys.executable, "-c", ENDING, str(taken)], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    report = msgspec.json.decode(ended.stdout, type=Report)
    assert [cell_of(report, cell).score for cell in TASK_2_CELLS] == [1.0] * 3
    assert report.models["baseline"].verified
    deep, loop = cell_of(report, "task4_exp4_tests"), cell_of(report, "task4_single_loop_tests")
    assert (deep.status, deep.score) == (Status.MEMORY, 0)
    assert 'models["deep"] could not be judged: there was not enough memory.' in messages(report, deep.id)
    said = messages(report, "task4_exp1_tests")
    assert 'models["avg_pool"] could not be judged: the judge crashed (SIGSEGV). If you think' in said
    assert 'models["max_pool"] could not be judged: the judge was stopped (SIGKILL). A person will judge it.' in said
    assert (loop.status, loop.score) == (Status.UNDECIDED, None)
    assert "This part could not be judged: the judge crashed (SIGSEGV)." in messages(report, loop.id)
    (fault,) = read_findings(taken / "evidence", CNNFindings).faults
    assert "SIGSEGV" in fault


@pytest.mark.soak
def test_a_submission_out_of_time_keeps_what_is_not_of_models(taken: Path) -> None:
    """Where one model uses up the time of all, every model is for a person, and Task 2 has its points."""
    limits = JudgeLimits(seconds=30, part_seconds=300)
    report = done(again(taken, Grading(Path(), lang=Lang.EN, judge=limits)))
    assert [cell_of(report, cell).score for cell in TASK_2_CELLS] == [1.0] * 3
    assert not any(model.verified for model in report.models.values())
    assert cell_of(report, "task3_architecture_tests").status is Status.UNDECIDED
    assert "the whole submission was used up (30 s). A person" in messages(report, "task4_exp1_tests")
    assert cell_of(report, "task4_exp2_tests").status is Status.MISSING  # a model that is not there stays so


def test_models_too_heavy_together_are_refused_by_name(taken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LessonEvidence that was not taken by us is held to the same budget: the model that goes past it is named."""
    measured = Measurements(LessonEvidence(taken / "evidence"))
    weight = measured.rebuilt("baseline").weight_bytes
    assert weight == 4 * measured.rebuilt("baseline").parameters_declared
    monkeypatch.setattr(measure, "MAX_WEIGHT_BYTES", 2 * weight)
    with pytest.raises(EvidenceError, match=r'models\["deep"\]: the weights of all models'):
        measured.rebuilt("deep")


MODEL, CELL = Part(is_model=True, name="gap"), Part(is_model=False, name="task2_case_1_tests")


@pytest.mark.parametrize("cause", PartFailureCause)
def test_what_is_set_aside_says_why(cause: PartFailureCause) -> None:
    """0 only for a model that brought it about; a person decides else, and always of a cell."""
    own = cause in {PartFailureCause.CRASH, PartFailureCause.TIME, PartFailureCause.MEMORY}
    for part in (MODEL, CELL):
        verdict = PartFailure(cause, "what").verdict(part)
        assert isinstance(verdict, AbsentError if own and part is MODEL else UndecidedError)
        assert "could not be judged" in str(verdict)


@pytest.mark.parametrize("cause", PartFailureCause)
def test_more_data_may_spare_a_crash_and_never_time(cause: PartFailureCause) -> None:
    """On more data the judge may not break again; it takes as long and as much memory at least."""
    verdict = PartFailure(cause, "what").verdict(CELL)
    assert isinstance(verdict, UndecidedError)
    may = {PartFailureCause.CRASH, PartFailureCause.KILLED, PartFailureCause.FAULT}
    assert verdict.more_data == (cause in may)


def test_a_fault_of_the_judge_names_the_part_and_the_place() -> None:
    """An exception that is no verdict becomes a `PartFailureError`; a verdict stays what it is."""
    with pytest.raises(PartFailureError) as broken, PartTracker().at(MODEL):
        [].pop()
    assert broken.value.part == MODEL
    assert broken.value.part_failure.cause is PartFailureCause.FAULT
    assert broken.value.part_failure.detail.startswith("IndexError, test_judging.py:")
    with pytest.raises(AssertionError, match="wrong"), PartTracker().at(MODEL):
        raise AssertionError("wrong")
