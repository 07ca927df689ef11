"""How long `reference.convolution` takes against F.conv2d: `python -m benchmarks.convolution`.

Twelve shapes, from the sheet's smallest to AlexNet's first layer; each figure is the median of 15
timings of 3 calls, after 2 calls to warm up, on the processor, float32.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from reference.convolution import convolution

SHAPES = (
    ((6, 6, 3), (3, 3, 3, 5)),
    ((12, 12, 3), (3, 3, 3, 5)),
    ((24, 24, 3), (1, 1, 3, 10)),
    ((28, 28, 1), (3, 3, 1, 16)),
    ((26, 26, 16), (3, 3, 16, 32)),
    ((32, 32, 3), (5, 5, 3, 32)),
    ((64, 64, 3), (3, 3, 3, 16)),
    ((64, 48, 16), (3, 3, 16, 32)),
    ((112, 112, 8), (3, 3, 8, 16)),
    ((128, 128, 3), (7, 7, 3, 32)),
    ((224, 224, 3), (3, 3, 3, 64)),
    ((224, 224, 3), (11, 11, 3, 64)),
)


def by_pytorch(X: torch.Tensor, K: torch.Tensor) -> torch.Tensor:
    """Do what `convolution` does, (h, w, d) and (k, k, d, q), by PyTorch's own layer."""
    return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)


def microseconds(call: Callable[[], object], timings: int = 15) -> float:
    """Return the median duration of one call."""
    measured = []
    for timing in range(timings + 2):
        start = perf_counter()
        for _ in range(3):
            call()
        if timing >= 2:
            measured.append((perf_counter() - start) / 3)
    return median(measured) * 1e6


def ratio(image: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[float, float, float]:
    """Return ours / PyTorch's for tensors, for arrays, and PyTorch's time in microseconds."""
    X, K = torch.randn(image), torch.randn(kernel)
    q = kernel[-1]
    theirs = microseconds(lambda: by_pytorch(X, K))
    ours = microseconds(lambda: convolution(X, K, q))
    arrays = microseconds(lambda: convolution(X.numpy(), K.numpy(), q))
    return ours / theirs, arrays / theirs, theirs


def main() -> None:
    """Measure every shape and print a table."""
    table = Table("image", "kernel", "F.conv2d, µs", "torch, ratio", "NumPy, ratio")
    tensors, arrays = [], []
    for image, kernel in SHAPES:
        torch_ratio, numpy_ratio, base = ratio(image, kernel)
        tensors.append(torch_ratio)
        arrays.append(numpy_ratio)
        figures = (f"{base:.0f}", f"{torch_ratio:.2f}", f"{numpy_ratio:.2f}")
        table.add_row("×".join(map(str, image)), "×".join(map(str, kernel)), *figures)
    table.add_section()
    table.add_row("median", "", "", f"{median(tensors):.2f}", f"{median(arrays):.2f}")
    Console().print(table, f"{torch.get_num_threads()} threads, torch {torch.__version__}")


if __name__ == "__main__":
    main()
