"""The hidden graders of Task 1, against right and wrong convolutions."""

import time
from pathlib import Path

import pytest

from autograder.engine.report import Status
from autograder.engine.text import Lang
from autograder.lesson.recorders import calls
from tests.submissions.convolutions import LOOPS
from tests.submissions.corpus import ROTATED
from tests.submissions.right import TASK_1
from tests.unsandboxed import cell_of, failed, judged

CELL = "task1_convolution_tests"
OWN = "An implementation of one's own"
KEPT = "The inputs are left unchanged"


LIBRARY = {
    "torch: convolution": "F.conv2d(torch.as_tensor(X).permute(2, 0, 1)[None], torch.as_tensor(K).permute(3, 2, 0, 1))",
    "Conv2d": "layer(K)(torch.as_tensor(X).permute(2, 0, 1)[None])",
    "scipy.signal.correlate2d": """torch.tensor(np.array([[sum(
        correlate2d(X[:, :, d], K[:, :, d, f], mode="valid") for d in range(X.shape[2])) for f in range(q)]]))""",
}


@pytest.mark.parametrize("name", LIBRARY)
def test_a_library_convolution_is_not_ones_own(name: str, tmp_path: Path) -> None:
    """The result counts, the implementation does not: 3 of 4, and the message names what was used."""
    source = f"""
from scipy.signal import correlate2d

def layer(K):
    conv = nn.Conv2d(K.shape[2], K.shape[3], K.shape[0], bias=False, dtype=torch.as_tensor(K).dtype)
    conv.weight.data = torch.as_tensor(K).permute(3, 2, 0, 1)
    return conv

def convolution(X, K, q):
    return ({LIBRARY[name]})[0].detach().permute(1, 2, 0)
"""
    report = judged({"task1_convolution": source}, tmp_path)
    assert list(failed(report, CELL)) == [OWN]
    assert name in failed(report, CELL)[OWN]
    assert cell_of(report, CELL).score == 3


def test_a_library_convolution_in_a_thread_is_seen(tmp_path: Path) -> None:
    """Neither another thread nor a name put together at run time hides it."""
    source = """
from concurrent.futures import ThreadPoolExecutor

def convolution(X, K, q):
    ready = getattr(F, "con" + "v2d")
    X, K = torch.as_tensor(X).permute(2, 0, 1)[None], torch.as_tensor(K).permute(3, 2, 0, 1)
    return ThreadPoolExecutor(1).submit(ready, X, K).result()[0].permute(1, 2, 0)
"""
    assert list(failed(judged({"task1_convolution": source}, tmp_path), CELL)) == [OWN]


def test_changing_the_inputs_costs_only_its_own_check(tmp_path: Path) -> None:
    """A convolution that spoils X is right otherwise."""
    source = LOOPS.replace("return M", "X[:] = 0\n    return M")
    report = judged({"task1_convolution": source}, tmp_path)
    assert list(failed(report, CELL)) == [KEPT]


PRECISION = {
    "an answer in float32": LOOPS.replace("return M", "return M.astype(np.float32)"),
    "a map in float32": LOOPS.replace("np.zeros((h, w, q))", "np.zeros((h, w, q), dtype=np.float32)"),
    "everything in float32": LOOPS.replace("np.asarray(X), np.asarray(K)", "np.float32(X), np.float32(K)"),
    "torch.zeros": "def convolution(X, K, q):\n"
    "    X, K = torch.as_tensor(X), torch.as_tensor(K)\n"
    "    k = K.shape[0]\n"
    "    M = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q)\n"
    "    for i in range(M.shape[0]):\n"
    "        for j in range(M.shape[1]):\n"
    "            M[i, j] = (X[i:i + k, j:j + k, :, None] * K).sum((0, 1, 2))\n"
    "    return M\n",
}


@pytest.mark.parametrize("way", PRECISION)
def test_float32_is_precise_enough(way: str, tmp_path: Path) -> None:
    """Float64 inputs ask no more: a map made by `torch.zeros` holds float32 whatever is put in."""
    assert failed(judged({"task1_convolution": PRECISION[way]}, tmp_path), CELL) == {}


def test_a_gradient_asked_of_the_input_costs_nothing(tmp_path: Path) -> None:
    """The values stay as they were; that the flag is set is no fault of the answer."""
    source = PRECISION["torch.zeros"].replace("X, K = torch.as_tensor(X), torch.as_tensor(K)", "X.requires_grad_()")
    assert failed(judged({"task1_convolution": source}, tmp_path), CELL) == {}


def test_who_writes_for_tensors_reads_of_an_error_with_tensors(tmp_path: Path) -> None:
    """Not that NumPy's arrays have no `permute`."""
    source = "def convolution(X, K, q):\n    X = X.permute(2, 0, 1)\n    return X @ K.transpose(0, 1)[9]\n"
    messages = failed(judged({"task1_convolution": source}, tmp_path), CELL)
    assert "IndexError" in messages["The task's three cases"]
    assert "permute" not in messages["The task's three cases"]


ODD_TYPES = {
    "float16": ("return M.astype(np.float16)", "not precise enough"),
    "rounded": ("return M.round(2)", "not precise enough"),
    "complex": ("return M + 0j", "take the real part"),
    "truths": ("return M > 0", "of 196 values are wrong"),
    "a list": ("return M.tolist()", "returned builtins.list"),
    "one value": ("M[0, 0, 0] += 1\n    return M", "1 of 196 values are wrong"),
}


@pytest.mark.parametrize("way", ODD_TYPES)
def test_an_answer_that_is_not_precise_or_real_is_told_so(way: str, tmp_path: Path) -> None:
    """Wrong values are counted, never given as a share that rounds to nothing."""
    code, message = ODD_TYPES[way]
    messages = failed(judged({"task1_convolution": LOOPS.replace("return M", code)}, tmp_path), CELL)
    assert message in messages["Random reals, float64 too"]


EVEN = "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image"


def test_even_kernels_are_tried(tmp_path: Path) -> None:
    """Code that asks for an odd kernel loses that check, and reads with which shapes it was called."""
    odd = LOOPS.replace("k = K.shape[0]", "k = K.shape[0]\n    assert k % 2 == 1")
    messages = failed(judged({"task1_convolution": odd}, tmp_path), CELL)
    assert list(messages) == [EVEN]
    assert "[X (6, 7, 2), K (2, 2, 2, 3)]" in messages[EVEN]


SNEAKY = {
    "when nobody watches": "if sys.getprofile() is None and sys.gettrace() is None: return library(X, K)",
    "in TorchScript": "return scripted(torch.as_tensor(X), torch.as_tensor(K))",
    "in a thread from before": "return pool.submit(library, X, K).result()",
    "for all but the first call": "calls.append(1)\n    if len(calls) > 1: return library(X, K)",
    "for tensors": "if isinstance(X, torch.Tensor): return library(X, K)",
    "while it is read": "return Lazy.of(X, K)",
    "before it raises": "if isinstance(X, torch.Tensor): library(X, K); raise ValueError",
}
LIBRARY_FIRST = """
import sys
__name__ = "__main__"
from concurrent.futures import ThreadPoolExecutor
calls, pool = [], ThreadPoolExecutor(1)
pool.submit(int).result()

def library(X, K):
    x, k = torch.as_tensor(X).permute(2, 0, 1)[None], torch.as_tensor(K).permute(3, 2, 0, 1)
    return getattr(F, "co" + "nv2d")(x, k)[0].permute(1, 2, 0)

def plain(x, k):
    return getattr(F, "co" + "nv2d")(x.permute(2, 0, 1)[None], k.permute(3, 2, 0, 1))[0].permute(1, 2, 0)

scripted = torch.jit.trace(plain, (torch.zeros(6, 6, 3), torch.zeros(3, 3, 3, 5)))

class Lazy(torch.Tensor):
    @classmethod
    def of(cls, X, K):
        lazy = torch.zeros(1).as_subclass(cls)
        lazy.work = X, K
        return lazy

    def detach(self):
        return library(*self.work)
"""


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("way", SNEAKY)
def test_every_call_that_is_compared_is_watched(way: str, tmp_path: Path) -> None:
    """A function that asks whether it is watched, by what, or for which time, is told the same in each call."""
    source = LIBRARY_FIRST + LOOPS.replace("(X, K, q):", f"(X, K, q):\n    {SNEAKY[way]}")
    messages = failed(judged({"task1_convolution": source}, tmp_path), CELL)
    if way == "when nobody watches":
        assert messages == {}  # it is always watched, and so it is its own
    else:
        assert list(messages) == [OWN]
        assert "torch: " in messages[OWN]


AWAY = {
    "unwatched": ("sys.setprofile(None)", False, "sys.setprofile"),
    "in a copy": ("os.waitpid(child, 0) if (child := os.fork()) else os._exit(0)", None, "os.fork"),
}


@pytest.mark.parametrize("way", AWAY)
def test_what_cannot_be_seen_is_no_implementation_of_ones_own(way: str, tmp_path: Path) -> None:
    """Putting an end to the watching fails; work in another process is for a person to decide."""
    code, passed, name = AWAY[way]
    source = "import os, sys\n" + LOOPS.replace("(X, K, q):", f"(X, K, q):\n    {code}")
    cell = cell_of(judged({"task1_convolution": source}, tmp_path), CELL)
    found = {check.name: (check.passed, name in check.message) for check in cell.checks if not check.passed}
    assert found == {OWN: (passed, True)}


def test_a_function_that_never_ends_is_not_called_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two calls of a flavour that took too long the rest are not made; the other flavour still is."""
    monkeypatch.setattr(calls, "SECONDS", 3.0)
    endless = LOOPS.replace("(X, K, q):", "(X, K, q):\n    while isinstance(X, np.ndarray): pass")
    started = time.monotonic()
    assert failed(judged({"task1_convolution": endless}, tmp_path), CELL) == {}
    assert time.monotonic() - started < 60


def test_an_exception_gives_its_class_and_line(tmp_path: Path) -> None:
    """A function that raises is an error, with class and line."""
    source = "def convolution(X, K, q):\n    y = 1\n    return X[q, 99, 99]\n"
    cell = cell_of(judged({"task1_convolution": source}, tmp_path), CELL)
    assert (cell.status, cell.score) == (Status.ERROR, 0)
    assert "line 3" in cell.checks[0].message
    assert "IndexError" in cell.checks[0].message


def test_a_missing_function_is_missing(tmp_path: Path) -> None:
    """No name, no points, and the message says which name."""
    cell = cell_of(judged({}, tmp_path), CELL)
    assert (cell.status, cell.score) == (Status.MISSING, 0)
    assert "convolution(X, K, q)" in cell.checks[0].message


def test_a_name_of_the_wrong_type_is_told_so(tmp_path: Path) -> None:
    """A number called `convolution` is not a function."""
    cell = cell_of(judged({"task1_convolution": "convolution = 3"}, tmp_path), CELL)
    assert "int" in cell.checks[0].message


def test_the_bonus_cells_pass_and_fail(tmp_path: Path) -> None:
    """The sample's bonus functions pass; one loop over rows is seen, and so is a wrong padding."""
    report = judged(TASK_1, tmp_path / "right")
    assert (report.bonus, failed(report, "task1_matrix_tests"), failed(report, "task1_same_tests")) == (1, {}, {})
    loop = """
def convolution_matrix(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    rows = [np.lib.stride_tricks.sliding_window_view(X[i:i + k], (k, k), axis=(0, 1))[0]
            for i in range(X.shape[0] - k + 1)]
    return np.einsum("ijdab,abdq->ijq", np.stack(rows), K)
"""
    wrong = TASK_1 | {"task1_matrix": loop, "task1_same": TASK_1["task1_same"].replace("// 2", "// 2 + 1")}
    report = judged(wrong, tmp_path / "wrong")
    assert report.bonus == 0
    assert "grows with the image" in next(iter(failed(report, "task1_matrix_tests").values()))


def test_messages_are_polish_by_default(tmp_path: Path) -> None:
    """The same mistake is named in Polish."""
    cells = {"task1_convolution": ROTATED}
    messages = failed(judged(cells, tmp_path, lang=Lang.PL), CELL)
    assert any("obrócony o 180°" in message for message in messages.values())
