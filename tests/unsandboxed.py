"""Judge code without a sandbox: run cells in this process, let the real probe take evidence, and judge that.

For trusted code of our own tests only; what a student could do to the process is tested with the real sandbox.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import msgspec
import nbformat

from autograder.engine.evidence.exchange import take, write_requests
from autograder.engine.evidence.records import CellRun, Failure
from autograder.engine.inside.bootstrap import Requests
from autograder.engine.inside.failures import failure
from autograder.engine.judging.judge import gather_probes, judge
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import CellReport, Profile, Report
from autograder.engine.text import Lang
from autograder.lesson import LESSON
from autograder.lesson.datasets import data_folder
from autograder.lesson.recorders import recorders
from autograder.models.capture.gradients import count_steps
from tests.evidence import SEED, evidence_file, write_evidence_file

IMPORTS = """
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision import datasets, transforms
"""
DATA = """
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
testset = datasets.FashionMNIST(DATA_FOLDER, train=False, transform=transform)
models, histories, results = {}, {}, {}
"""


def judged(
    cells: Mapping[str, str],
    folder: Path,
    *,
    profile: Profile = Profile.FULL,
    lang: Lang = Lang.EN,
    images: Mapping[str, int] | None = None,
    printed: str = "",
) -> Report:
    """Run the cells in order, take evidence at every test cell, and judge it.

    `images` counts the pictures a cell showed; `printed` is what the notebook printed.
    """
    write_evidence(cells, folder, profile=profile, images=images or {}, printed=printed)
    return judge(folder, load_assignment(), lang)


def write_evidence(
    cells: Mapping[str, str], folder: Path, *, profile: Profile, images: Mapping[str, int], printed: str
) -> None:
    """Leave the evidence of these cells in `folder`."""
    mpl.use("agg")
    count_steps()
    namespace: dict[str, object] = {"DATA_FOLDER": str(data_folder(profile))}
    exec(compile(IMPORTS, "imports", "exec"), namespace)  # noqa: S102 - our own tests' code
    runs = []
    for index, (name, source) in enumerate(cells.items()):
        runs.append(CellRun(index, name, 0.0, _run(source, namespace), images.get(name, 0)))
    inbox, outbox = folder / "inbox", folder / "outbox"
    probe = Requests(namespace, str(inbox), str(outbox), recorders)
    probed = []
    for cell, probes in gather_probes(LESSON).items():
        write_requests(probes, SEED, inbox / cell)
        probe.take(cell)
        probed.append(take(outbox, cell, folder, LESSON.schema))
    _write_notebook(cells, folder, printed)
    write_evidence_file(evidence_file(profile=profile, runs=tuple(runs), probed=tuple(probed)), folder)


def _run(source: str, namespace: dict[str, object]) -> Failure | None:
    try:
        exec(compile(source, "/tmp/ipykernel_1/1.py", "exec"), namespace)  # noqa: S102, S108 - as IPython names cells
    except Exception as error:  # noqa: BLE001 - a cell may raise anything
        return msgspec.convert(failure(error), Failure)
    return None


def _write_notebook(cells: Mapping[str, str], folder: Path, printed: str) -> None:
    nodes = [nbformat.v4.new_code_cell(source, metadata={"grade_id": name}) for name, source in cells.items()]
    nodes.append(nbformat.v4.new_code_cell("print", outputs=[nbformat.v4.new_output("stream", text=printed)]))
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), folder / "notebook.ipynb")


def cell_of(report: Report, grade_id: str) -> CellReport:
    """Return one cell's report."""
    return next(cell for cell in report.cells if cell.id == grade_id)


def failed(report: Report, grade_id: str) -> dict[str, str]:
    """Return the messages of a cell's checks that did not pass, by check."""
    return {check.name: check.message for check in cell_of(report, grade_id).checks if not check.passed}
