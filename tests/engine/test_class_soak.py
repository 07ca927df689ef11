"""A class of a hundred, a fifth of it hostile or broken: the others notice nothing, nothing is left, memory stays flat."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from autograder.engine.grading.pool import grade_all
from autograder.engine.grading.task import Grading
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import Outcome, Profile, Report
from autograder.engine.sandbox.processes import descendants
from tests.engine.interrupted_runs import CHEAP, fork_server, sandboxed
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions import WRONG, build, fill
from tests.submissions.corpus import RIGHT_CONVOLUTIONS
from tests.submissions.hostile import ATTACKS, MARKER, Attack
from tests.submissions.right import TASK_1, TASK_2

pytestmark = [pytest.mark.soak, needs_bubblewrap]

HOSTILE, HONEST = 17, 80
BROKEN = {"empty": b"", "truncated": b'{"cells": [', "latin": '{"a": "ż"}'.encode("latin2")}
TORCH = {"install": "import numpy as np\nimport torch\nimport torch.nn as nn"}
WRONG_TASK_2 = {name: WRONG[name] for name in TASK_2}
KINDS: tuple[dict[str, str], ...] = (
    *(CHEAP | {"task1_convolution": source} for source in RIGHT_CONVOLUTIONS.values() if "torch" not in source),
    CHEAP | {"task1_convolution": WRONG["task1_convolution"]},
    CHEAP | TASK_1,
    CHEAP | TORCH | TASK_1 | TASK_2,
    CHEAP | TORCH | WRONG_TASK_2,
)
MEGABYTE = 2**20


@dataclass
class Seen:
    """A class's reports by student, and MB that the client and its fork server held after each."""

    reports: dict[str, Report] = field(default_factory=dict)
    memory: list[tuple[int, int]] = field(default_factory=list)


def test_a_class_of_a_hundred(tmp_path: Path) -> None:
    """Two at a time, every honest student gets exactly the points, check by check, of the same work graded alone."""
    alone = [_graded(tmp_path / f"alone-{i}", [_honest(tmp_path / f"alone-{i}", i)], 1) for i in range(len(KINDS))]
    root = tmp_path / "class"
    attacks = [ATTACKS[round(i * (len(ATTACKS) - 1) / (HOSTILE - 1))] for i in range(HOSTILE)]
    honest = [_honest(root, i) for i in range(HONEST)]
    others = [_attack(root, attack) for attack in attacks] + [_broken(root, name) for name in BROKEN]
    paths = [path for i, other in enumerate(others) for path in (*honest[4 * i : 4 * i + 4], other)]
    seen = _graded(root, paths, 2)
    assert len(seen.reports) == len(paths) == 100
    for i in range(HONEST):
        expected = alone[i % len(KINDS)].reports[_name(i % len(KINDS))]
        assert _points(seen.reports[_name(i)]) == _points(expected), _name(i)
    assert {name for name, report in seen.reports.items() if report.status is Outcome.UNGRADED} == set(BROKEN)
    assert sandboxed(os.getpid()) == []
    assert len(descendants(fork_server())) == 1
    print(f"MB of client and fork server after 10: {seen.memory[9]}, after 100: {seen.memory[-1]}")  # noqa: T201 - for soak.md
    for early, late in zip(seen.memory[9], seen.memory[-1], strict=True):
        assert late <= early + 16


def _graded(root: Path, paths: list[Path], jobs: int) -> Seen:
    seen = Seen()
    how = Grading(root / "graded", Profile.QUICK, time_limit=40)
    for done in grade_all(paths, load_assignment(), how, jobs):
        seen.reports[done.report.student] = done.report
        seen.memory.append((_resident(os.getpid()), _resident(fork_server())))
    return seen


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // MEGABYTE


def _points(report: Report) -> dict[str, tuple[float | None, list[bool | None]]]:
    assert report.status is Outcome.GRADED, report.reason
    return {cell.id: (cell.score, [check.passed for check in cell.checks]) for cell in report.cells}


def _name(number: int) -> str:
    return f"student-{number * 37 % 100:02}"


def _honest(root: Path, number: int) -> Path:
    """Write a submission that no other one equals, so that its inputs are its own too."""
    cells = KINDS[number % len(KINDS)]
    return build(cells | {"task1_same": f"{cells['task1_same']}\n# {number}"}, root / "submitted", _name(number))


def _attack(root: Path, attack: Attack) -> Path:
    notebook = fill({name: source.replace(MARKER, "splot-soak-4711") for name, source in attack.cells.items()})
    if attack.reshape is not None:
        attack.reshape(notebook)
    path = root / "submitted" / f"student-{attack.name}" / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(notebook), "utf-8")
    return path


def _broken(root: Path, name: str) -> Path:
    path = root / "submitted" / name / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(BROKEN[name])
    return path
