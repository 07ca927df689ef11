"""The hidden graders of Task 1, against right and wrong convolutions."""

from pathlib import Path

import pytest

from autograder.language import Lang
from autograder.report import Status
from tests.lab import cell_of, failed, judged
from tests.submissions.convolutions import LOOPS, RIGHT_WAYS, WRONG_WAYS
from tests.submissions.right import TASK_1

CELL = "task1_convolution_tests"
OWN = "An implementation of one's own"
KEPT = "The inputs are left unchanged"


@pytest.mark.parametrize("way", RIGHT_WAYS)
def test_every_right_way_earns_all_points(way: str, tmp_path: Path) -> None:
    """However it is written, a right convolution gets 4 of 4."""
    report = judged({"task1_convolution": RIGHT_WAYS[way]}, tmp_path)
    assert failed(report, CELL) == {}
    assert cell_of(report, CELL).score == 4


@pytest.mark.parametrize("mistake", WRONG_WAYS)
def test_a_known_mistake_is_named(mistake: str, tmp_path: Path) -> None:
    """Each known mistake is told by its name, and earns the sheet's cases at most."""
    report = judged({"task1_convolution": WRONG_WAYS[mistake]}, tmp_path)
    assert any(mistake in message for message in failed(report, CELL).values()), failed(report, CELL)
    score = cell_of(report, CELL).score
    assert score is not None
    assert score <= 1


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


def test_float32_arithmetic_fails_only_where_float64_was_given(tmp_path: Path) -> None:
    """Float64 inputs want float64 precision; a result rounded to float32 loses that check alone."""
    source = LOOPS.replace("return M", "return M.astype(np.float32)")
    assert list(failed(judged({"task1_convolution": source}, tmp_path), CELL)) == ["Random reals, float64 too"]


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
    cells = {"task1_convolution": WRONG_WAYS["rotated by 180°"]}
    messages = failed(judged(cells, tmp_path, lang=Lang.PL), CELL)
    assert any("obrócony o 180°" in message for message in messages.values())
