"""Whether a convolution is one's own, read from the source in force at the test cell."""

from pathlib import Path

import nbformat
import pytest

from autograder.engine.evidence.records import CellRun, Failure, Fault
from autograder.lesson.graders.convolutions import CELL
from autograder.lesson.graders.own_code import library_convolutions
from autograder.lesson.observations import LessonEvidence
from tests.evidence import evidence_file, write_evidence_file

TORCH = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nimport numpy as np"
OWN = "def convolution(X, K, q):\n    return np.einsum('ijdab,abdq->ijq', windows(X), K)"
BORROWED = "def convolution(X, K, q):\n    return F.conv2d(X, K)"


def evidence(folder: Path, cells: tuple[str, ...], failures: dict[int, Failure] | None = None) -> LessonEvidence:
    """Leave an executed notebook of these cells, the test cell after them, and say how they ended."""
    nodes = [nbformat.v4.new_code_cell(cell) for cell in (TORCH, *cells)]
    nodes.append(nbformat.v4.new_code_cell("run()", metadata={"grade_id": CELL, "locked": True}))
    nodes.append(nbformat.v4.new_code_cell(BORROWED))
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), folder / "notebook.ipynb")
    runs = tuple(CellRun(index, None, 0.1, (failures or {}).get(index)) for index in range(len(nodes)))
    write_evidence_file(evidence_file(runs=runs), folder)
    return LessonEvidence(folder)


CLEAN = {
    "a first try that was written over": (BORROWED, OWN),
    "a helper that nothing calls": ("def conv(a, b):\n    return nn.Conv2d(a, b, 3)", OWN),
    "a check beside it": (OWN, "expected = F.conv2d(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 3, 3))"),
    "a variable of the name": (
        "def conv2d(n):\n    return nn.Conv2d(n, n, 3)",
        "def convolution(X, K, q):\n    conv2d = np.zeros(3)\n    for conv in conv2d:\n        pass\n    return conv2d",
    ),
    "a method of the name": (
        "class Mine:\n    def conv2d(self, X):\n        return X\n    def run(self, X):\n        return self.conv2d(X)",
        "mine = Mine()\ndef convolution(X, K, q):\n    return mine.conv2d(X) + Mine().run(X)",
    ),
    "a function of the name": (
        "def convolve2d(X):\n    return X",
        "def convolution(X, K, q):\n    return convolve2d(X)",
    ),
    "an import that nothing uses": ("from scipy import ndimage, signal", OWN),
    "an import within it that nothing uses": (
        "def convolution(X, K, q):\n    from scipy import ndimage\n    return X",
    ),
    "a string and a comment": ("def convolution(X, K, q):\n    'like F.conv2d'\n    return X  # F.conv2d(X, K)",),
    "one dimension of NumPy": ("def convolution(X, K, q):\n    return np.convolve(X, K) + np.correlate(X, K)",),
    "unfold, fold and Fourier": (
        "def convolution(X, K, q):\n    return F.fold(F.unfold(X, 3)) + torch.fft.fft2(X) + nn.Unfold(3)(X)",
    ),
    "another type": ("def convolution(X, K, q):\n    return torch.convert(X)",),
    "a shell's line before it": (BORROWED, f"gpu = !nvidia-smi\n{OWN}"),
    "a timed cell": (BORROWED, f"%%time\n{OWN}"),
    "captured and timed": (BORROWED, f"%%capture\n%%time\n{OWN}"),
    "a condition": (BORROWED, "if True:\n" + "".join(f"    {line}\n" for line in OWN.splitlines())),
}
FOUND = {
    "by its module": ((BORROWED,), "torch.nn.functional.conv2d"),
    "behind a helper": (
        ("def shortcut(X, K):\n    return F.conv2d(X, K)", "def convolution(X, K, q):\n    return shortcut(X, K)"),
        "torch.nn.functional.conv2d",
    ),
    "a clean definition that no Python runs": ((BORROWED, f"%%script false\n{OWN}"), "torch.nn.functional.conv2d"),
    "likewise in a file": ((BORROWED, f"%%writefile mine.py\n{OWN}"), "torch.nn.functional.conv2d"),
    "behind a shell's line": ((f"gpu = !nvidia-smi\n{BORROWED}",), "torch.nn.functional.conv2d"),
    "a later definition": ((OWN, BORROWED), "torch.nn.functional.conv2d"),
    "another name": (("from torch.nn.functional import conv2d as mine\ndef convolution(X, K, q):\n    return mine(X, K)",),
                     "torch.nn.functional.conv2d"),
    "an alias": (("mine = F\ntwice = mine.conv2d\ndef convolution(X, K, q):\n    return twice(X, K)",),
                 "torch.nn.functional.conv2d"),
    "an alias within": (("def convolution(X, K, q):\n    f = F\n    return f.conv2d(X, K)",), "torch.nn.functional.conv2d"),
    "an import within": (("def convolution(X, K, q):\n    from scipy.signal import convolve2d as c\n    return c(X, K)",),
                         "scipy.signal.convolve2d"),
    "every name": (("from scipy.signal import *\ndef convolution(X, K, q):\n    return fftconvolve(X, K)",),
                   "scipy.signal.fftconvolve"),
    "below SciPy's own names": (
        ("import scipy\ndef convolution(X, K, q):\n    return scipy.signal._sigtools._convolve2d(X, K)",),
        "scipy.signal._sigtools._convolve2d",
    ),
    "all of ndimage": (("import scipy.ndimage as nd\ndef convolution(X, K, q):\n    return nd.uniform_filter(X)",),
                       "scipy.ndimage.uniform_filter"),
    "a layer made before": (("layer = nn.Conv2d(3, 5, 3)\ndef convolution(X, K, q):\n    return layer(X)",), "torch.nn.Conv2d"),
    "getattr": (("def convolution(X, K, q):\n    return getattr(torch.ops.aten, 'convolution')(X, K)",),
                "torch.ops.aten.convolution"),
    "wrapped": (("import functools\nconvolution = functools.partial(F.conv2d)",), "torch.nn.functional.conv2d"),
    "transposed": (("def convolution(X, K, q):\n    return F.conv_transpose2d(X, K)",), "torch.nn.functional.conv_transpose2d"),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_what_is_not_called_costs_nothing(case: str, tmp_path: Path) -> None:
    """Names, first tries and helpers that the function in force does not reach are no library convolution."""
    assert library_convolutions(evidence(tmp_path, CLEAN[case]), CELL, "convolution") == set()


@pytest.mark.parametrize("case", FOUND)
def test_what_the_definition_in_force_names_is_found(case: str, tmp_path: Path) -> None:
    """By whatever name a library convolution is called, its full name is found."""
    cells, path = FOUND[case]
    assert library_convolutions(evidence(tmp_path, cells), CELL, "convolution") == {path}


@pytest.mark.parametrize(
    ("failure", "found"),
    [
        (Failure(Fault.ERROR, "NameError"), set()),
        (Failure(Fault.DIED), {"torch.nn.functional.conv2d"}),
        (Failure(Fault.MEMORY, "", "4096 MB"), {"torch.nn.functional.conv2d"}),
        (Failure(Fault.MEMORY, "MemoryError"), set()),
    ],
)
def test_a_cell_that_ended_its_kernel_defined_nothing(failure: Failure, found: set[str], tmp_path: Path) -> None:
    """A clean definition in a cell that a fresh kernel leaves out is not in force; one before an exception is."""
    ran = evidence(tmp_path, (BORROWED, OWN), {2: failure})
    assert library_convolutions(ran, CELL, "convolution") == found


@pytest.mark.parametrize(
    "part", ["f" + ".a" * 900, "(" * 150 + "1" + ")" * 150, "[" * 3000, "not " * 900 + "x", "\0", "a = " * 3000 + "1"]
)
def test_odd_source_is_read_in_bounds(part: str, tmp_path: Path) -> None:
    """Nesting without end breaks no grader."""
    chain = "if x:\n  pass\n" + "elif x:\n  pass\n" * 800
    cells = (f"def convolution(X, K, q):\n    return {part}", chain, "x = !ls\n" * 300, " " * 200_000 + "\n!x")
    library_convolutions(evidence(tmp_path, cells), CELL, "convolution")
