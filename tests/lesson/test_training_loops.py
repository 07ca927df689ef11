"""One training loop: the notebook's visible check and the hidden one hold one rule, on one table of cases."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from autograder.engine.evidence.reader import Executed
from autograder.engine.notebook.assignment import load_assignment
from autograder.lesson.graders.own_code import training_loops
from autograder.lesson.graders.task4_experiments import LOOP

STEP = "    loss.backward()\n"
FIT = f"def fit(net):\n{STEP}"
FOR = f"for x, y in batches:\n{STEP}"

LOOPS: dict[str, tuple[list[str], list[str]]] = {
    "a function": ([FIT], ["fit() [1]"]),
    "a function and its helper": ([f"def step(loss):\n{STEP}", "def fit():\n    step(loss)"], ["step() [1]"]),
    "a loop of its own": ([f"for net in nets:\n  for x, y in batches:\n{STEP}"], ["[1:1]"]),
    "twice in one loop": ([f"{FOR}{STEP}"], ["[1:1]"]),
    "a nested function, a scaler": (
        ["def fit():\n  def step():\n    scaler.scale(loss).backward()\n  step()"],
        ["fit() [1]"],
    ),
    "a method": ([f"class Trainer:\n  def fit(self):\n{STEP}  def test(self):\n    pass"], ["Trainer [1]"]),
    "two methods of a class": ([f"class A:\n  def fit(self):\n{STEP}  def refit(self):\n{STEP}"], ["A [1]"]),
    "a definition again": ([FIT, FIT.replace("(net)", "(net, rate)")], ["fit() [2]"]),
    "a definition again, in one cell": ([f"{FIT}\n{FIT}"], ["fit() [1]"]),
    "a definition that trains no more": ([FIT, "def fit(net):\n    trainer.fit(net)"], []),
    "a cell run again": ([FOR, "x = 1", FOR], ["[1:1]"]),
    "a library's": (["trainer.fit(model, loader)", "!true"], []),
    "torch.autograd.grad": (["def fit():\n    g = torch.autograd.grad(loss, parameters)"], []),
    "a class with a backward of its own": (["class Swap(Function):\n  def backward(ctx, g):\n    pass"], []),
    "a comment, a string": (["# loss.backward()\ntext = 'loss.backward()'"], []),
    "under a condition": ([f"if True:\n  def fit():\n  {STEP}"], ["fit() [1]"]),
    "in try and with": ([f"try:\n  with bar:\n    for x in batches:\n  {STEP}except KeyError:\n  pass"], ["[1:3]"]),
    "in a timed cell": ([f"%%time\n{FIT}"], ["fit() [1]"]),
    "captured and timed": ([f"%%capture\n%%time\n{FIT}"], ["fit() [1]"]),
    "beside a shell's line": ([f"gpu = !true\n{FIT}"], ["fit() [1]"]),
    "in no Python": ([f"%%script true\n{FOR}"], []),
    "in a cell that does not parse": ([f"{FOR}x = ("], []),
    "two functions": ([f"{FIT}\ndef fit_deep():\n{STEP}"], ["fit() [1]", "fit_deep() [1]"]),
    "a function, and a loop in another cell": ([FIT, f"x = 1\n{FOR}"], ["fit() [1]", "[2:2]"]),
    "a function and a class": ([FIT, f"class A:\n  def fit(self):\n{STEP}"], ["fit() [1]", "A [2]"]),
    "a loop copied to other cells": ([f"net = 1\n{FOR}", f"net = 2\n{FOR}"], ["[1:2]", "[2:2]"]),
    "a loop copied in its cell": ([f"{FOR}{FOR}"], ["[1:1]", "[1:3]"]),
    "one through autograd": ([FIT, "for x in data:\n    torch.autograd.backward(loss(x))"], ["fit() [1]", "[2:1]"]),
    "two timed loops": ([f"%%time\n{FOR}", f"%%time\nx = 1\n{FOR}"], ["[1:1]", "[2:2]"]),
    "a timed line": ([FIT, "%time loss.backward()"], ["fit() [1]", "[2:1]"]),
    "one behind a condition": ([FIT, f"if True:\n  for x in data:\n{STEP}"], ["fit() [1]", "[2:2]"]),
}  # fmt: skip


@pytest.mark.parametrize("way", LOOPS)
def test_places_are_found(way: str) -> None:
    """A function, a class or a loop is one place; each is named with its cell."""
    cells, places = LOOPS[way]
    assert training_loops(enumerate(cells, start=1)) == places


def test_the_instructors_cells_and_task_5_do_not_count() -> None:
    """Students' code before the test cell is read, and nothing else."""
    document = [
        {"metadata": {"locked": True}, "source": "loss.backward()"},
        {"metadata": {}, "source": FIT},
        {"metadata": {"grade_id": LOOP, "locked": True}, "source": "loss.backward()"},
        {"metadata": {"grade_id": "task5_cam"}, "source": "score.backward()"},
    ]
    executed = msgspec.convert({"cells": [{"cell_type": "code", **cell} for cell in document]}, Executed)
    read = [(index, cell.is_students) for index, cell in executed.code_before(LOOP)]
    assert read == [(0, False), (1, True)]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Give an IPython as a notebook has it, without a history on disk."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell(config=config)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("way", LOOPS)
def test_the_visible_check_finds_as_many(way: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells that a student ran in IPython, then the notebook's own function: as many places as the hidden check."""
    cells, places = LOOPS[way]
    for source in (*cells, load_assignment().by_grade_id["task4_helpers"].source):
        shell.run_cell(source, store_history=True)
    capsys.readouterr()  # most cells stop at the first name that is not defined
    found = shell.user_ns["training_loops"]()
    assert len(found) == len(places)


def test_the_visible_check_says_what_to_do(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """More places than one raise with their names; one, or none, does not."""
    test = load_assignment().by_grade_id[LOOP].source
    for source in (load_assignment().by_grade_id["task4_helpers"].source, "models = {1: 1, 2: 2}", test, FIT, test):
        shell.run_cell(source, store_history=True).raise_error()
    said = capsys.readouterr().out
    assert said.index("Nie ma wywołań") < said.index("Wszystkie sieci trenuje ta sama pętla")
    shell.run_cell(FOR, store_history=True)
    with pytest.raises(AssertionError, match=r"(?s)- fit.*- for.*Restart & Run All"):
        shell.run_cell(test, store_history=True).raise_error()
