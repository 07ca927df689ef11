"""Watch a call from inside its process: which library convolutions it reaches, how many steps it takes.

What is seen here is a claim: code in the same process can hide from it. The grader reads the source beside it.
"""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

SCIPY = ("convolve", "correlate", "fftconvolve", "oaconvolve")


class _Convolutions(TorchDispatchMode):
    """Notes each convolution that reaches torch's dispatcher, by whatever name it was called."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if "conv" in name and not name.endswith(("_to_copy", "convert")):
            self.seen.add(f"torch: {name.removeprefix('aten::')}")
        return func(*args, **(kwargs or {}))


def reached_libraries(call: Callable[[], object]) -> list[str]:
    """Run `call` and return the library convolutions it reached, sorted by name."""
    seen: set[str] = set()

    def watch(frame: FrameType, event: str, argument: object) -> None:
        name = getattr(argument, "__name__", "")
        if event == "c_call" and isinstance(name, str) and name.startswith("conv") and is_torch(argument):
            seen.add(f"torch: {name}")
        elif event == "call":
            path, name = frame.f_code.co_filename, frame.f_code.co_name
            if "scipy/ndimage" in path and name[:1] != "_":
                seen.add(f"scipy.ndimage.{name}")
            elif "scipy/signal" in path and name.startswith(SCIPY):
                seen.add(f"scipy.signal.{name}")

    modes = _Convolutions()
    before = sys.getprofile()
    sys.setprofile(watch)
    threading.setprofile(watch)  # threads that the call starts, where a dispatch mode does not reach
    try:
        with modes:
            call()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return sorted(seen | modes.seen)


def is_torch(function: object) -> bool:
    """Whether a built-in belongs to torch; NumPy's one-dimensional `convolve` is nobody's shortcut here."""
    owner = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__
    return str(owner).startswith("torch")


def count_steps(call: Callable[[], object]) -> int:
    """Run `call` and count the bytecode instructions and built-in calls it takes, in every frame below it.

    A vectorised computation takes as many whatever the image's size; a Python loop takes more for a larger one,
    and so does a built-in that calls back or is called for each pixel.
    """
    steps = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            steps += 1
        return trace

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        if event == "c_call":
            steps += 1

    before = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return steps
