"""Observes a call inside its process: the library convolutions it reaches, its steps, and where it escapes observation.

Every call whose answer is compared is watched, and all calls of a function are watched alike. What is seen here is
still a claim: code in the same process can forge it. The grader reads the source beside it.
"""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ...engine.inside import DO_NOT_INTERRUPT

CONVOLUTION = re.compile(r"conv(?!ert)")
TORCH_LIBRARIES = frozenset(
    {"aten", "mkldnn", "mkldnn_prepacked", "onednn", "prepacked", "quantized", "_quantized", "torchvision", "xnnpack"}
)
PUBLIC = (
    ("scipy.ndimage", "/scipy/ndimage/", re.compile(r"")),
    ("scipy.signal", "/scipy/signal/", re.compile(r"(convolve|correlate|fftconvolve|oaconvolve|sepfir2d)")),
    ("skimage.filters", "/skimage/filters/", re.compile(r"")),
)
BUILT_IN = {
    "scipy.signal": re.compile(r"_?(convolve|correlate|sepfir2d)"),
    "scipy.ndimage": re.compile(r""),
    "cv2": re.compile(r"filter2D|sepFilter2D|matchTemplate"),
}
UNFOLLOWED = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.connect", "subprocess.Popen"}
    | {"ctypes.call_function", "ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle"}
)
"""Audit events of work that cannot be observed (https://docs.python.org/3/library/audit_events.html)."""
UNWATCHING = frozenset({"sys.setprofile", "sys.settrace"})


@dataclass
class Observed:
    """The observations of one call.

    Attributes:
        reached: library convolutions, "torch: convolution" or "scipy.signal.convolve2d".
        unseen: where the call could not be observed: "os.fork"; "sys.setprofile" if it ended the observation.
        steps: bytecode instructions, built-in calls and torch calls, in every frame below it; 0 where not counted.

    """

    reached: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    steps: int = 0


@contextmanager
def observed(*, count: bool) -> Iterator[Observed]:
    """Observe the code that runs in the block; count its steps if `count`.

    A vectorised computation takes as many steps whatever the image's size; a Python loop takes more for a larger one,
    and so does a built-in that calls back or is called for each pixel.
    """
    seen = Observed()
    profile, trace = _profiler(seen, count=count), _tracer(seen) if count else None
    before = sys.getprofile(), sys.gettrace()
    with _torch_watched(seen), _TorchCalls(seen) if count else nullcontext():
        threading.setprofile(profile)  # for threads that the call starts
        threading.settrace(trace)
        sys.setprofile(profile)
        sys.settrace(trace)
        _audit(seen)
        try:
            yield seen
        finally:
            _audit(None)
            if sys.getprofile() is not profile or sys.gettrace() is not trace:
                seen.unseen.add("sys.setprofile")
            sys.settrace(before[1])
            sys.setprofile(before[0])
            threading.settrace(None)
            threading.setprofile(None)


# Torch


@contextmanager
def _torch_watched(seen: Observed) -> Iterator[None]:
    """Note each convolution that reaches torch's dispatcher, in any thread and by whatever name or script.

    A kernel at `BackendSelect` stands before each of them. Nothing has one there, and no other operation is slowed:
    a `TorchDispatchMode` makes six nested loops twenty times slower.
    """
    libraries: dict[str, torch.library.Library] = {}
    nested = threading.local()
    try:
        for name in torch._C._dispatch_get_all_op_names():
            space, _, operator = name.partition("::")
            if not (space in TORCH_LIBRARIES and CONVOLUTION.search(operator)):
                continue
            # An operation made of others, such as `conv2d` of `convolution`, is noted as these.
            if not torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd"):
                if space not in libraries:
                    libraries[space] = torch.library.Library(space, "IMPL", "BackendSelect")
                libraries[space].impl(operator, _noting(space, operator, seen, nested), with_keyset=True)
        yield
    finally:
        for library in libraries.values():
            library._destroy()


def _noting(space: str, operator: str, seen: Observed, nested: threading.local) -> Any:
    """Return a kernel that notes the operation and goes on to the real one; what that calls in turn is not noted."""
    below = torch._C._dispatch_keyset_full_after(torch._C.DispatchKey.BackendSelect)
    name, _, overload = operator.partition(".")

    def kernel(keys: Any, *arguments: Any, **named: Any) -> Any:
        outermost = not getattr(nested, "inside", False)
        if outermost:
            seen.reached.add(f"torch: {name}" if space == "aten" else f"torch: {space}::{name}")
        nested.inside = True
        try:
            real = getattr(getattr(getattr(torch.ops, space), name), overload or "default")
            return real.redispatch(keys & below, *arguments, **named)
        finally:
            nested.inside = not outermost

    return kernel


class _TorchCalls(TorchFunctionMode):
    """Counts calls of torch functions: those that a built-in such as `map` makes are in no bytecode."""

    def __init__(self, seen: Observed) -> None:
        self.seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.steps += 1
        return func(*args, **(kwargs or {}))


# SciPy and other libraries, steps


def _profiler(seen: Observed, *, count: bool) -> Any:
    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            seen.steps += count
            if not isinstance(argument, BuiltinFunctionType) or not isinstance(argument.__module__, str):
                return  # a method: its object may be a student's
            module, name = argument.__module__, argument.__name__
            if name == "fork_exec":  # `multiprocessing` starts processes without an audit event
                seen.unseen.add(f"{module}.{name}")
            library = next((start for start in BUILT_IN if module.startswith(start)), None)
            if library and BUILT_IN[library].match(name):
                seen.reached.add(f"{module}.{name}")
        elif event == "call" and (reached := _library_function(frame.f_code)):
            seen.reached.add(reached)

    return profile


def _library_function(code: CodeType) -> str | None:
    """Name the library convolution whose body this is; what runs while a library is imported is none."""
    for module, folder, names in PUBLIC:
        if folder in code.co_filename and names.match(code.co_name):
            public = getattr(sys.modules.get(module), "__all__", ())
            return f"{module}.{code.co_name}" if code.co_name in public else None
    return None


def _tracer(seen: Observed) -> Any:
    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename == __file__:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            seen.steps += 1
        return trace

    return trace


def is_watching(frame: FrameType | None) -> bool:
    """Whether the observer is at work in or below this frame; Python removes a profiler or tracer that raises.

    Below, since the garbage collector may call anything from within it.
    """
    while frame is not None:
        if frame.f_code.co_filename == __file__ and frame.f_code.co_name in {"profile", "trace", "__call__"}:
            return True
        frame = frame.f_back
    return False


# Work that leaves the process, or stops the observation


class _Auditor:
    """Python's audit hook, added once and never removed: Python knows no way to."""

    def __init__(self) -> None:
        self.seen: Observed | None = None
        self.added = False

    def __call__(self, event: str, _arguments: object) -> None:
        seen = self.seen
        if seen is None or event not in UNFOLLOWED | UNWATCHING:
            return
        frame = sys._getframe(1)
        if event in UNWATCHING:
            if frame.f_code is not threading.Thread._bootstrap_inner.__code__:  # type: ignore[attr-defined]
                seen.unseen.add(event)
        elif not _importing(frame):
            seen.unseen.add(event)


_auditor = _Auditor()


def _audit(seen: Observed | None) -> None:
    """Record audit events in `seen`; None stops recording."""
    _auditor.seen = None
    if not _auditor.added:
        sys.addaudithook(_auditor)
        _auditor.added = True
    _auditor.seen = seen


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported, which may look for libraries and processors in its own ways."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


DO_NOT_INTERRUPT.append(is_watching)
