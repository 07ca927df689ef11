"""Each check alone on recorded evidence: the right one passes, one that is wrong in one thing fails with its message.

One notebook is run once for all; what is wrong is written into a copy of what was recorded of it.
"""

import inspect
import json
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from autograder.engine.evidence.records import Probed
from autograder.engine.outcomes import SettledError, UndecidedError
from autograder.engine.report import Profile
from autograder.lesson import graders
from autograder.lesson.graders import task3_baseline, training
from autograder.lesson.measure import REALLY_TRAINED, Measurements
from autograder.lesson.observations import AnyRecord, Gradients, History, LessonEvidence, Results
from autograder.lesson.thresholds import Levels, threshold
from tests.lesson.staged_notebook import message_of
from tests.submissions.fitted import COUNTS, FITTED_CELLS
from tests.submissions.right import TASK_1, TASK_2, TASK_5
from tests.unsandboxed import DATA, write_evidence

Change = Callable[[Path], None]
SMALL = """
torch.manual_seed(1)
models["baseline"] = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2704, 5)).eval()
"""


@dataclass(frozen=True)
class Check:
    """One check of the hidden graders, with the values that its table gives it."""

    module: ModuleType
    function: Callable[..., None]
    values: dict[str, Any]

    def run(self, evidence: LessonEvidence, measured: Measurements) -> None:
        """Step it, given what pytest's fixtures would give."""
        self.function(**self._arguments(self.function, {"evidence": evidence, "measured": measured} | self.values))

    def _arguments(self, function: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any]:
        for name in inspect.signature(function).parameters:
            if name not in known:
                fixture = inspect.unwrap(getattr(self.module, name))
                known[name] = fixture(**self._arguments(fixture, known))
        return {name: known[name] for name in inspect.signature(function).parameters}


def _checks() -> Iterator[tuple[str, Check]]:
    for info in pkgutil.iter_modules(graders.__path__):
        if not info.name.startswith("task"):
            continue
        module, task = import_module(f"{graders.__name__}.{info.name}"), info.name.partition("_")[0]
        for name, function in [each for each in vars(module).items() if each[0].startswith("test_")]:
            table = next((mark for mark in function.pytestmark if mark.name == "parametrize"), None)
            if table is None:
                yield f"{task}: {name}", Check(module, function, {})
                continue
            names = (table.args[0],) if isinstance(table.args[0], str) else table.args[0]
            for row in table.args[1]:
                values = dict(zip(names, row.values, strict=True))
                yield f"{task}: {name}[{row.id}]", Check(module, function, values)


CHECKS = dict(_checks())


def record(name: str, **fields: object) -> Change:
    """Let the records of this name say otherwise; a function is given the record."""

    def changed(old: AnyRecord) -> AnyRecord:
        if getattr(old, "name", "") != name:
            return old
        new = {field: value(old) if callable(value) else value for field, value in fields.items()}
        return msgspec.structs.replace(old, **new)

    def change(folder: Path) -> None:
        evidence = LessonEvidence(folder)
        probed = tuple(Probed.from_records(cell, *map(changed, records)) for cell, records in evidence.taken.items())
        _rewrite(folder, probed=probed)

    return change


def model(name: str, other: str, inside: str = "") -> Change:
    """Put another recorded model in the place of one, from the same evidence or from the one `inside` it."""

    def change(folder: Path) -> None:
        shutil.rmtree(folder / "models" / name)
        shutil.copytree(folder / inside / "models" / other, folder / "models" / name)
        taken = LessonEvidence(folder / inside).model(other)
        fields = ("method", "parameters", "train_graph", "outputs", "gradients")
        record(name, **{field: getattr(taken, field) for field in fields})(folder)

    return change


def array(names: str, changed: Callable[[Any], Any]) -> Change:
    """Let the arrays of these names, a glob, hold something else."""

    def change(folder: Path) -> None:
        paths = list((folder / "arrays").glob(names))
        assert paths
        for path in paths:
            np.save(path, np.ascontiguousarray(changed(np.load(path))))

    return change


def unprinted(count: int) -> Change:
    """Take a number out of what the notebook printed."""

    def change(folder: Path) -> None:
        path = folder / "notebook.ipynb"
        path.write_text(path.read_text().replace(f"{count:,}", ""))

    return change


def unplotted(folder: Path) -> None:
    """Let no cell have shown an image."""
    _rewrite(folder, runs=())


def trained_twice(folder: Path) -> None:
    """Add a cell with a training loop of its own."""
    path = folder / "notebook.ipynb"
    document = json.loads(path.read_text())
    cell = {"cell_type": "code", "metadata": {}, "source": "def another(loss):\n    loss.backward()", "outputs": []}
    path.write_text(json.dumps(document | {"cells": [*document["cells"], cell]}))


def off_by_one_value(values: Any) -> Any:
    """Change one value."""
    values[0, 0, 0] += 1
    return values


def _rewrite(folder: Path, **fields: object) -> None:
    file = msgspec.structs.replace(LessonEvidence(folder).file, **fields)
    (folder / "evidence.json").write_bytes(msgspec.json.encode(file))


def _steps(steps: int) -> Gradients:
    return Gradients(steps=steps, copied=False, reached=1.0, unclaimed=0)


RISING = History((1.0, 2.0), (1.0, 1.0), (0.1, 0.2))
WRONG: dict[str, tuple[Change, str]] = {
    "task1: test_sheet": (array("*-sheet_2-*", off_by_one_value), "1 of 500 values are wrong"),
    "task1: test_random": (array("*-double-*", lambda a: a.transpose(1, 0, 2)), "height and width are swapped"),
    "task1: test_shapes": (array("*-one_filter-*", lambda a: a[..., 0]), "The filters' axis is missing"),
    "task1: test_inputs_kept": (record("real", inputs_kept=False), "changes X or K"),
    "task1: test_own_implementation": (
        record("real", reached=("torch: conv2d",)),
        "library convolution (torch: conv2d)",
    ),
    "task1: test_matrix": (record("matrix_large", steps=10_000), "grows with the image"),
    "task1: test_same": (array("*-same_5-*", lambda a: a[1:]), "The size is off by one"),
    "task2: test_layer[case_1]": (record("case_1", stride=(3, 3)), "(224 + 2·2 − 1·(11 − 1) − 1) / 3 + 1"),
    "task2: test_layer[case_2]": (record("case_2", out_channels=2), "requires out_channels = 1"),
    "task2: test_layer[case_3]": (record("case_3", is_conv2d=False, type="MaxPool2d"), "is of type MaxPool2d"),
    "task3: test_groups": (model("baseline", "baseline", "small"), "there are 1 blocks"),
    "task3: test_flatten": (model("baseline", "gap"), "The map is averaged"),
    "task3: test_ten_outputs": (model("baseline", "baseline", "small"), "it should be (B, 10)"),
    "task3: test_history": (record("baseline", history=None), 'histories["baseline"] is missing'),
    "task3: test_loss_fell": (record("baseline", history=RISING), "did not fall: from 1.000 to 2.000"),
    "task3: test_curves": (unplotted, "No plot was found"),
    "task3: test_parameters": (unprinted(COUNTS["baseline"]), "parameter count of baseline (34832)"),
    "task3: test_results": (record("baseline", results=Results(0.95, 0.9, 34832)), "is 0.950; measured on the same"),
    "task3: test_accuracy": (model("baseline", "baseline", "small"), "accuracy is 0.000; the threshold"),
    "task4: test_pooling[max_pool]": (model("max_pool", "avg_pool"), "no nn.MaxPool2d"),
    "task4: test_pooling[avg_pool]": (model("avg_pool", "max_pool"), "no nn.AvgPool2d"),
    "task4: test_gap": (model("gap", "max_pool"), "the map is not averaged"),
    "task4: test_regularized": (model("regularized", "gap"), "neither BatchNorm2d nor Dropout2d"),
    "task4: test_deep": (model("deep", "regularized"), "has 2 convolutions and regularized 2"),
    "task4: test_custom": (model("custom", "deep"), "differ from the defaults: none"),
    "task4: test_trained[task4_exp1]": (
        model("avg_pool", "baseline", "small"),
        "images avg_pool never saw its accuracy",
    ),
    "task4: test_trained[task4_exp2]": (record("gap", gradients=_steps(0)), "No training of gap by gradients"),
    "task4: test_trained[task4_exp3]": (record("regularized", gradients=_steps(3)), "steps of regularized is 3"),
    "task4: test_trained[task4_exp4]": (model("deep", "regularized"), "regularized and deep give the same scores"),
    "task4: test_trained[task4_exp5]": (record("custom", gradients=None), "? Whether custom was trained"),
    "task4: test_reported[task4_exp1]": (record("avg_pool", history=None), 'histories["avg_pool"] is missing'),
    "task4: test_reported[task4_exp2]": (record("gap", history=History((2.0, 1.0))), "lacks val_loss, val_accuracy"),
    "task4: test_reported[task4_exp3]": (record("regularized", results=Results(0.93, 0.9)), "is 0.930; measured"),
    "task4: test_reported[task4_exp4]": (record("deep", results=None), 'results["deep"] is missing'),
    "task4: test_reported[task4_exp5]": (
        record("custom", results=lambda old: msgspec.structs.replace(old.results, parameters=7)),
        "is 7; the model has 895",
    ),
    "task4: test_printed[task4_exp1]": (unprinted(COUNTS["max_pool"]), "parameter count of max_pool (1772)"),
    "task4: test_printed[task4_exp2]": (unprinted(COUNTS["gap"]), "parameter count of gap (332)"),
    "task4: test_printed[task4_exp3]": (unprinted(COUNTS["regularized"]), "parameter count of regularized (352)"),
    "task4: test_printed[task4_exp4]": (unprinted(COUNTS["deep"]), "parameter count of deep (828)"),
    "task4: test_printed[task4_exp5]": (unprinted(COUNTS["custom"]), "parameter count of custom (895)"),
    "task4: test_single_loop": (trained_twice, "another()"),
    "task5: test_cam": (array("map-gap-*", lambda a: -a), "The map's sign is reversed"),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> LessonEvidence:
    """Evidence of a right notebook, trained in no time; beside it, in `small`, that of a baseline of one convolution."""
    folder = tmp_path_factory.mktemp("recorded")
    printed = "\n".join(f"epoch 10 {count:,}" for count in COUNTS.values())
    cells = {
        "task3_data": DATA,
        **TASK_1,
        **TASK_2,
        **FITTED_CELLS,
        "task5_cam": TASK_5["task5_cam"].split("\n\n\n")[0],
    }
    shown = {"task3_baseline": 1}
    write_evidence(cells, folder, profile=Profile.QUICK, images=shown, printed=printed)
    small = {"task3_data": DATA, "task3_baseline": SMALL}
    write_evidence(small, folder / "small", profile=Profile.QUICK, images={}, printed="")
    return LessonEvidence(folder)


@pytest.fixture(scope="module")
def measured(recorded: LessonEvidence) -> Measurements:
    """What the judge measures of the right notebook."""
    return Measurements(recorded)


def changed(recorded: LessonEvidence, change: Change, folder: Path) -> LessonEvidence:
    """Copy the right evidence, with one change."""
    shutil.copytree(recorded.folder, folder, dirs_exist_ok=True)
    change(folder)
    return LessonEvidence(folder)


def test_every_check_has_its_wrong_evidence() -> None:
    """A new check needs a line above."""
    assert WRONG.keys() == CHECKS.keys()


@pytest.mark.parametrize("name", CHECKS)
def test_right_evidence_passes(
    name: str, recorded: LessonEvidence, measured: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every check of all five tasks; the baseline, trained in no time, is held to what the others are."""
    monkeypatch.setattr(task3_baseline, "threshold", lambda *_: REALLY_TRAINED)
    monkeypatch.setattr(task3_baseline, "levels", lambda *_: None)
    assert message_of(CHECKS[name].run, recorded, measured) == ""


@pytest.mark.parametrize("name", WRONG)
def test_wrong_evidence_fails_with_its_message(name: str, recorded: LessonEvidence, tmp_path: Path) -> None:
    """The message names the fault; "? " stands before what a person is to decide."""
    change, message = WRONG[name]
    evidence = changed(recorded, change, tmp_path)
    assert message in message_of(CHECKS[name].run, evidence, Measurements(evidence))


HISTORY = {"history", "loss_fell", "curves"}
REPORTS: dict[str, tuple[Change, set[str], str]] = {
    "no val_accuracy": (
        record("baseline", history=History((2.0, 1.0), (2.0, 1.5))), HISTORY, "lacks val_accuracy",
    ),
    "one epoch": (
        record("baseline", history=History((2.0,), (2.0, 1.5), (0.2, 0.3))), HISTORY, "train_loss: 1",
    ),
    "not a number": (record("baseline", history=History((2.0, None), (2.0, 1.5), (0.2, 0.3))), HISTORY, "NaN"),
    "percent": (record("baseline", history=History((2.0, 1.0), (2.0, 1.5), (20.0, 30.0))), HISTORY, "not percent"),
    "loss rose": (record("baseline", history=RISING), {"loss_fell"}, "did not fall"),
    "count wrong": (
        record("baseline", results=lambda old: msgspec.structs.replace(old.results, parameters=7)), {"results"},
        "the model has 34832",
    ),
    "accuracy claimed": (record("baseline", results=Results(0.95, 0.9, 34832)), {"results"}, "measured on the same images"),
    "accuracy in percent": (record("baseline", results=Results(95.0, 0.9, 34832)), {"results"}, "not percent"),
    "f1 missing": (
        record("baseline", results=lambda old: msgspec.structs.replace(old.results, f1=None)), {"results"}, "number f1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REPORTS)
def test_a_broken_training_report_fails_its_checks_alone(what: str, recorded: LessonEvidence, tmp_path: Path) -> None:
    """Each thing that is missing or untrue fails the checks that rest on it, and no other."""
    change, checks, message = REPORTS[what]
    evidence = changed(recorded, change, tmp_path)
    measured = Measurements(evidence)
    names = ("history", "loss_fell", "curves", "parameters", "results")
    messages = {name: message_of(CHECKS[f"task3: test_{name}"].run, evidence, measured) for name in names}
    assert {name for name in names if messages[name]} == checks
    assert all(message in messages[name] for name in checks)


NOTHING_IS_HOPELESS, ALL_IS_HOPELESS = Levels(0.82, 0.0, 0.0), Levels(0.82, 0.8, 0.2)


def told(name: str, *losses: float) -> Change:
    """Let a history tell these training losses."""
    return record(name, history=History(losses, (1.0,) * len(losses), (0.1,) * len(losses)))


def claimed(more: float) -> Change:
    """Let the baseline's results claim an accuracy that is lower by so much than what was measured."""
    lower = lambda old: msgspec.structs.replace(old.results, accuracy=old.results.accuracy - more)  # noqa: E731
    return record("baseline", results=lower)


def both(*changes: Change) -> Change:
    """Make several changes."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def seen(steps: int, unclaimed: int = 0) -> Gradients:
    """Return what was seen of a model's gradient steps."""
    return msgspec.structs.replace(_steps(steps), unclaimed=unclaimed)


UNTRAINED = model("avg_pool", "baseline", "small")  # right about no image
CHANCE = both(UNTRAINED, record("avg_pool", gradients=_steps(5)))
LOSS_FELL, RESULTS, ACCURACY = (f"task3: test_{name}" for name in ("loss_fell", "results", "accuracy"))
TRAINED, LOOP = "task4: test_trained[task4_exp1]", "task4: test_single_loop"
NAMES = tuple(COUNTS)
UNSEEN = [record(name, gradients=None) for name in NAMES]
UNCLEAR = [record(name, gradients=seen(3, 50)) for name in NAMES]
ENDS: dict[str, tuple[str, Change, Levels, str]] = {
    "an accuracy below what is hopeless": (ACCURACY, both(), ALL_IS_HOPELESS, "final"),
    "an accuracy that all data may mend": (ACCURACY, both(), NOTHING_IS_HOPELESS, "open"),
    "the same loss in all epochs": (LOSS_FELL, told("baseline", 2.30258513, 2.30258519), ALL_IS_HOPELESS, "final"),
    "a loss that rose a little": (LOSS_FELL, told("baseline", 2.30258513, 2.30458519), ALL_IS_HOPELESS, "open"),
    "losses rounded to the same": (LOSS_FELL, told("baseline", 2.3026, 2.3026), ALL_IS_HOPELESS, "open"),
    "a claim far from what was measured": (RESULTS, claimed(0.15), NOTHING_IS_HOPELESS, "final"),
    "a claim not far from it": (RESULTS, claimed(0.05), NOTHING_IS_HOPELESS, "open"),
    "an accuracy of an untrained network": (TRAINED, CHANCE, ALL_IS_HOPELESS, "final"),
    "an accuracy that a slow one may have": (TRAINED, CHANCE, NOTHING_IS_HOPELESS, "open"),
    "no steps": (TRAINED, both(CHANCE, record("avg_pool", gradients=seen(0))), NOTHING_IS_HOPELESS, "final"),
    "a few steps": (TRAINED, both(CHANCE, record("avg_pool", gradients=seen(1))), NOTHING_IS_HOPELESS, "open"),
    "a loss that never moved": (TRAINED, both(CHANCE, told("avg_pool", 2.3025851, 2.3025852)), NOTHING_IS_HOPELESS, "final"),
    "a loss that moved": (TRAINED, both(CHANCE, told("avg_pool", 2.3025851, 2.3005851)), NOTHING_IS_HOPELESS, "open"),
    "steps that may be the network's": (TRAINED, record("avg_pool", gradients=seen(3, 50)), ALL_IS_HOPELESS, "open"),
    "steps of others": (TRAINED, record("avg_pool", gradients=seen(0, 50)), ALL_IS_HOPELESS, "for a person"),
    "networks of which nothing was seen": (LOOP, both(*UNSEEN), ALL_IS_HOPELESS, "for a person"),
    "networks that more steps may settle": (LOOP, both(*UNCLEAR), ALL_IS_HOPELESS, "open"),
    "one network that they may settle": (LOOP, both(*UNSEEN[1:], UNCLEAR[0]), ALL_IS_HOPELESS, "for a person"),
    "networks that took no steps": (LOOP, both(*(record(n, gradients=seen(0)) for n in NAMES)), ALL_IS_HOPELESS, "final"),
    "networks that took few": (LOOP, both(*(record(n, gradients=seen(3)) for n in NAMES)), ALL_IS_HOPELESS, "open"),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDS)
def test_only_what_more_data_cannot_mend_is_final_on_quick(
    what: str, recorded: LessonEvidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule that ends a check on `quick` beside its near neighbour, which waits for more data or for a person."""
    name, change, found, ends = ENDS[what]
    for module in (task3_baseline, training):
        monkeypatch.setattr(module, "levels", lambda *_: found)
    evidence = changed(recorded, change, tmp_path)
    try:
        CHECKS[name].run(evidence, Measurements(evidence))
    except SettledError:
        ended = "final"
    except AssertionError:
        ended = "open"
    except UndecidedError as undecided:
        ended = "open" if undecided.more_data else "for a person"
    else:
        ended = "passed"
    assert ended == ends


def test_what_is_hopeless_is_told_with_the_threshold_that_counts(
    recorded: LessonEvidence, measured: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accuracy, the threshold on all data, and on how many images it was measured that this is out of reach."""
    monkeypatch.setattr(task3_baseline, "levels", lambda *_: ALL_IS_HOPELESS)
    message = message_of(CHECKS[ACCURACY].run, recorded, measured)
    full = threshold(measured.dataset, Profile.FULL)
    assert f"; the threshold is {full:.3f}." in message
    assert "after training on 6000 images" in message
