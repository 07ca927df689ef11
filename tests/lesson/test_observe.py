"""What a call reaches is seen by whatever way it goes, and what it does of its own is not mistaken for a library."""

import ctypes
import functools
import operator
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage, signal
from torch.nn.grad import conv2d_input

from autograder.engine.inside.failures import DeadlineError, deadline
from autograder.lesson.graders.task1_convolution import PROBES
from autograder.lesson.recorders.calls import SECONDS
from autograder.lesson.recorders.observe import Observed, is_watching, observed

IMAGE, FILTERS = torch.arange(192.0).reshape(1, 3, 8, 8), torch.ones(4, 3, 3, 3)
PLANE, FILTER = np.arange(64.0).reshape(8, 8), np.ones((3, 3))
ORDINARY = ((1, 1), (0, 0), (1, 1))
POOL = ThreadPoolExecutor(1)
POOL.submit(int).result()  # its thread is there before anything is watched


def seen(call: Callable[[], object], *, count: bool = False) -> Observed:
    """Watch one call."""
    with observed(count=count) as found:
        call()
    return found


def scripted(image: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Go to the library in TorchScript."""
    return F.conv2d(image, filters)


def script() -> Callable[..., object]:
    """Compile `scripted` before anything is watched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still there
        return torch.jit.script(scripted)


TORCH: dict[str, Callable[[], object]] = {
    "its function": lambda: F.conv2d(IMAGE, FILTERS),
    "float64": lambda: F.conv2d(IMAGE.double(), FILTERS.double()),
    "a layer": lambda: torch.nn.Conv2d(3, 4, 3)(IMAGE),
    "without gradients": lambda: torch.inference_mode()(F.conv2d)(IMAGE, FILTERS),
    "a name made up": lambda: operator.attrgetter("nn.functional.conv" + "2d")(torch)(IMAGE, FILTERS),
    "partial": lambda: functools.partial(F.conv2d, IMAGE)(FILTERS),
    "map": lambda: list(map(F.conv2d, [IMAGE], [FILTERS])),
    "an operation": lambda: torch.ops.aten.convolution(IMAGE, FILTERS, None, *ORDINARY, False, (0, 0), 1),
    "below the operation": lambda: torch._C._nn.slow_conv3d(IMAGE[:, :, None], FILTERS[:, :, None], (1, 3, 3)),  # type: ignore[attr-defined]
    "MKL-DNN": lambda: torch.mkldnn_convolution(IMAGE, FILTERS, None, (0, 0), (1, 1), (1, 1), 1),
    "transposed": lambda: F.conv_transpose2d(IMAGE, FILTERS.transpose(0, 1)),
    "a gradient": lambda: conv2d_input((1, 3, 8, 8), FILTERS, torch.ones(1, 4, 6, 6)),
    "mapped over a batch": lambda: torch.vmap(lambda image: F.conv2d(image, FILTERS))(IMAGE[None]),
    "a thread": lambda: ThreadPoolExecutor(1).submit(F.conv2d, IMAGE, FILTERS).result(),
    "a thread from before": lambda: POOL.submit(F.conv2d, IMAGE, FILTERS).result(),
    "a script from before": functools.partial(script(), IMAGE, FILTERS),
}
SCIPY: dict[str, Callable[[], object]] = {
    "convolve2d": lambda: signal.convolve2d(PLANE, FILTER),
    "correlate": lambda: signal.correlate(PLANE, FILTER),
    "fftconvolve": lambda: signal.fftconvolve(PLANE, FILTER),
    "partial": lambda: functools.partial(signal.oaconvolve, PLANE)(FILTER),
    "ndimage": lambda: ndimage.convolve(PLANE, FILTER),
    "ndimage's averages": lambda: ndimage.uniform_filter(PLANE, 3),
    "below its functions": lambda: sys.modules["scipy.signal._sigtools"]._convolve2d(PLANE, FILTER, 0, 0, 0, 0.0),
    "a thread": lambda: ThreadPoolExecutor(1).submit(signal.convolve2d, PLANE, FILTER).result(),
}
OWN: dict[str, Callable[[], object]] = {
    "unfold": lambda: F.unfold(IMAGE, 3),
    "fold": lambda: F.fold(torch.ones(1, 27, 36), 8, 3),
    "Fourier": lambda: (torch.fft.fft2(IMAGE), np.fft.fft2(PLANE)),
    "einsum": lambda: (torch.einsum("bchw,ochw->bo", IMAGE[..., :3, :3], FILTERS), np.einsum("ij,ij", PLANE, PLANE)),
    "tensordot": lambda: torch.tensordot(IMAGE[0, :, :3, :3], FILTERS[0], dims=3),
    "one dimension": lambda: (np.convolve(PLANE[0], FILTER[0]), np.correlate(PLANE[0], FILTER[0])),
    "windows": lambda: np.lib.stride_tricks.sliding_window_view(PLANE, (3, 3)),
    "conversions": lambda: IMAGE.to(torch.float64).int().to_sparse_coo(),
    "threads": lambda: list(ThreadPoolExecutor(2).map(np.sum, PLANE)),
}


@pytest.mark.parametrize("way", TORCH)
def test_torchs_convolutions_are_seen(way: str) -> None:
    """By any name, from Python or TorchScript, in any thread, also in one that was there before."""
    found = seen(TORCH[way])
    assert len(found.reached) == 1
    assert next(iter(found.reached)).startswith("torch: ")
    assert found.unseen == set()


@pytest.mark.parametrize("way", SCIPY)
def test_scipys_convolutions_are_seen(way: str) -> None:
    """Functions and what they are made of, by module and name."""
    found = seen(SCIPY[way])
    assert found.reached
    assert all(name.startswith(("scipy.signal.", "scipy.ndimage.")) for name in found.reached)


@pytest.mark.parametrize("way", OWN)
def test_ones_own_way_is_no_library(way: str) -> None:
    """Windows, products, Fourier transforms and one-dimensional convolutions are the student's own algorithm."""
    assert seen(OWN[way]) == Observed()


def forked() -> None:
    """Leave the work to a copy of this process."""
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        os._exit(0)


UNSEEN: dict[str, tuple[Callable[[], object], str]] = {
    "a program": (lambda: subprocess.run(["true"], check=True), "subprocess.Popen"),
    "a copy": (forked, "os.fork"),
    "a system library": (lambda: ctypes.CDLL(None).getpid(), "ctypes.dlopen"),
    "a shell": (lambda: os.system("true"), "os.system"),  # noqa: S605
}


@pytest.mark.parametrize("way", UNSEEN)
def test_work_that_leaves_the_process_is_told(way: str) -> None:
    """What is computed elsewhere cannot be seen, and that is said."""
    call, name = UNSEEN[way]
    assert name in seen(call).unseen


def test_putting_an_end_to_the_watching_is_told() -> None:
    """Also where the profiler is put back afterwards, and where a thread does it; starting a thread is nothing odd."""

    def unwatched() -> None:
        profile = sys.getprofile()
        sys.setprofile(None)
        signal.convolve2d(PLANE, FILTER)
        sys.setprofile(profile)

    assert seen(unwatched).unseen == {"sys.setprofile"}
    assert seen(lambda: sys.settrace(None)).unseen == {"sys.settrace"}
    assert seen(lambda: ThreadPoolExecutor(1).submit(sys.setprofile, None).result()).unseen == {"sys.setprofile"}


def test_a_deadline_does_not_look_like_an_end_of_the_watching() -> None:
    """It falls while a profiler or tracer runs, often: the call is stopped, and nothing else is told of it."""

    def endless() -> None:
        while True:
            sorted([1])

    for count in (False, True) * 5:
        with pytest.raises(DeadlineError), observed(count=count) as found, deadline(0.05):
            endless()
        assert (found.reached, found.unseen) == (set(), set())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("count", [False, True])
def test_a_deadline_that_python_loses_comes_again(*, count: bool) -> None:
    """It falls into a `__del__`, whose exceptions go nowhere; the call is stopped, and the observation goes on."""

    class Slow:
        def __del__(self) -> None:
            until = time.monotonic() + 10.0
            while time.monotonic() < until:
                pass

    def endless() -> None:
        Slow()
        while True:
            pass

    with pytest.raises(DeadlineError), observed(count=count) as found, deadline(0.02):
        endless()
    assert found.unseen == set()


def test_a_deadline_spares_what_runs_within_the_profiler() -> None:
    """The garbage collector may call anything there."""
    with observed(count=False):
        profiler = sys.getprofile()
        assert profiler is not None

        class Looked:
            """Stands for an argument; looking at it calls something else."""

            @property
            def f_code(self) -> object:
                return deep(6)

        def deep(levels: int) -> object:
            if levels:
                return deep(levels - 1)
            watched.append(is_watching(sys._getframe()))
            return deep.__code__

        watched: list[bool] = []
        profiler(Looked(), "call", None)  # type: ignore[arg-type]
    assert watched == [True]
    assert not is_watching(sys._getframe())


def test_everything_is_left_as_it_was() -> None:
    """Profiler, tracer and torch's operations, also where the call raises."""
    before = sys.getprofile(), sys.gettrace()
    with pytest.raises(ZeroDivisionError), observed(count=True) as found:
        1 / 0  # noqa: B018
    assert (sys.getprofile(), sys.gettrace()) == before
    assert threading.getprofile() is None
    F.conv2d(IMAGE, FILTERS)
    assert found.reached == set()


def test_steps_grow_with_a_loop_wherever_it_is() -> None:
    """In Python, in a built-in that calls Python or torch, and in a thread; a product of matrices takes as many."""
    loops: dict[str, Callable[[torch.Tensor], object]] = {
        "a loop": lambda rows: [row.sum() for row in rows],
        "a built-in": lambda rows: list(map(torch.sum, rows.unbind())),
        "a thread": lambda rows: ThreadPoolExecutor(1).submit(lambda: [row for row in rows]).result(),  # noqa: C416
    }
    for loop in loops.values():
        few, many = (steps(loop, rows) for rows in (10, 60))
        assert many - few >= 50
    assert steps(lambda rows: rows @ rows.T, 10) == steps(lambda rows: rows @ rows.T, 60)


def steps(call: Callable[[torch.Tensor], object], rows: int) -> int:
    """Count the steps of a call on so many rows."""
    matrix = torch.ones(rows, 3)
    return seen(lambda: call(matrix), count=True).steps


def six_loops(X: torch.Tensor, K: torch.Tensor, q: int) -> torch.Tensor:
    """Convolve by the formula, one product at a time: the slowest way that a student writes."""
    k, d = K.shape[0], K.shape[2]
    M = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q)
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                for a in range(k):
                    for b in range(k):
                        for c in range(d):
                            M[i, j, f] += X[i + a, j + b, c] * K[a, b, c, f]
    return M


def test_six_nested_loops_end_in_a_fifth_of_the_time_while_they_are_watched() -> None:
    """In torch, where each product takes a dozen operations, on the probe that takes most of them; CPU time."""
    drawn = [probe.draw(np.random.default_rng(0)) for probe in PROBES if probe.function != "convolution_matrix"]
    products = {index: np.size(X) * np.size(K) for index, (X, K, _) in enumerate(drawn)}
    X, K, q = drawn[max(products, key=products.__getitem__)]
    assert isinstance(q, int)
    image, filters = torch.from_numpy(np.asarray(X)), torch.from_numpy(np.asarray(K))
    started = time.process_time()
    with observed(count=False) as found:
        six_loops(image, filters, q)
    assert time.process_time() - started < SECONDS / 5
    assert found == Observed()
