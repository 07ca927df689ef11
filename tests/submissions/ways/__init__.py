"""Thirty right submissions written in other ways than ours: none may lose a point.

Some are whole, some do Tasks 1 and 2 or 1 to 3 alone; each differs from the others in several ways at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

from tests.submissions.build import fill
from tests.submissions.ways import convolutions, networks, trainers
from tests.submissions.ways.networks import NAMES, Networks

__all__ = ["ONLY_TASK_3", "SUBMISSIONS", "WHOLE", "Way", "notebook", "write"]

ANSWERS = {
    "task4_comparison": "Pooling i BatchNorm pomogły.",
    "task4_exp5_answer": "Chciałem większego pola recepcyjnego.",
}
FIRST = ("task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests")
BONUS = {"task1_matrix": "task1_matrix_tests", "task1_same": "task1_same_tests", "task5_cam": "task5_cam_tests"}
THIRD = ("task3_architecture_tests", "task3_training_tests", "task3_accuracy_tests")
FOURTH = (*(f"task4_exp{n}_tests" for n in range(1, 6)), "task4_single_loop_tests")
EXPERIMENTS = {
    "task4_exp1": ("max_pool", "avg_pool"),
    "task4_exp2": ("gap",),
    "task4_exp3": ("regularized",),
    "task4_exp4": ("deep",),
    "task4_exp5": ("custom",),
}


@dataclass(frozen=True)
class Way:
    """A submission's cells, an id that begins with `+` adding one before another, and the test cells it does right."""

    cells: Mapping[str, str]
    does: tuple[str, ...]


def notebook(cells: Mapping[str, str]) -> Any:
    """Return the release with these cells; an id that begins with `+` adds one before another."""
    filled = fill({name: source for name, source in cells.items() if not name.startswith("+")})
    for name, source in cells.items():
        if name.startswith("+"):
            place = next(i for i, cell in enumerate(filled.cells) if cell.id == name[1:])
            filled.cells.insert(place, new_code_cell(source.strip("\n")))
    return filled


def write(way: Way, root: Path, student: str) -> Path:
    """Write the submission to `root/<student>/cnn/cnn.ipynb` and return that path."""
    path = root / student / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(way.cells), path)
    return path


def _task_3(model: str, trainer: str, data: str) -> dict[str, str]:
    ours = networks.ALL[model]
    return {
        "task3_data": trainers.DATA[data],
        "task3_model": ours.code,
        "task3_training": trainers.EVALUATION + trainers.ALL[trainer],
        "task3_baseline": f'ucz("baseline", {ours.by_name["baseline"]})\nrysuj("baseline")',
    }


def _task_4(ours: Networks) -> dict[str, str]:
    made = {name: f'ucz("{name}", {ours.by_name[name]})' for name in NAMES}
    cells = {cell: "\n".join(made[name] for name in names) for cell, names in EXPERIMENTS.items()}
    cells["task4_exp5"] += "\nrysuj(*models)"
    return cells | ANSWERS | {"task5_cam": ours.cam}


def _whole(code: str, model: str, trainer: str, data: str) -> Way:
    cells = (
        {"task1_convolution": code} | convolutions.TASK_2 | _task_3(model, trainer, data) | _task_4(networks.ALL[model])
    )
    return Way(cells, (*FIRST, *THIRD, *FOURTH, "task5_cam_tests"))


ONLY_TASKS_1_2 = {
    name: Way(cells, (*FIRST, *(test for cell, test in BONUS.items() if cell in cells)))
    for name, cells in convolutions.ONLY_TASKS_1_2.items()
}
ONLY_TASK_3 = {
    f"{model} {trainer} {data}": Way(_task_3(model, trainer, data), THIRD)
    for model, trainer, data in (
        ("factory", "autograd", "padded"),
        ("dict", "saved", "plain"),
        ("inherited", "scheduled", "resized"),
        ("residual", "scheduled", "plain"),
        ("warm", "class", "augmented"),
        ("residual", "autograd", "augmented"),
    )
}
WHOLE = {
    f"{model} {trainer} {data}": _whole(code, model, trainer, data)
    for code, model, trainer, data in (
        (convolutions.FLOAT32_INSIDE, "factory", "class", "plain"),
        (convolutions.SHIFTS, "factory", "scheduled", "augmented"),
        (convolutions.WINDOWS, "dict", "autograd", "padded"),
        (convolutions.IM2COL, "dict", "scheduled", "plain"),
        (convolutions.FFT, "inherited", "class", "augmented"),
        (convolutions.STATEFUL, "inherited", "saved", "padded"),
        (convolutions.TORCH_ONLY, "residual", "saved", "resized"),
        (convolutions.INDICES, "residual", "class", "plain"),
        (convolutions.ROWS, "warm", "saved", "plain"),
        (convolutions.RECURSION, "warm", "scheduled", "resized"),
    )
}
SUBMISSIONS = ONLY_TASKS_1_2 | ONLY_TASK_3 | WHOLE
