"""What happens in a fresh kernel before the student's first cell: two comforts, and the lesson's recorders put in place.

- `exit()` does not end the kernel;
- what one cell prints is cut off where nobody would read on.

A lesson's recorders are a package whose `prepare()` is called at once, with the standard library alone, and whose
`recorders()` gives a function for each kind of request, when the first one comes.
"""

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MAX_PRINTED = 1_000_000
CUT = "[… 1 MB]"
"""Stands where a cell's printed text was cut off."""

KERNEL_PROBE = "splot_probe_of_this_kernel"


def prepare(shell: Any, inbox: str, outbox: str, recorders: str) -> None:
    """Prepare the kernel whose IPython shell this is; `recorders` is the lesson's package, "lesson.recorders"."""
    shell.ask_exit = lambda: None
    _limit_printing(shell)
    package = importlib.import_module(f"{__name__.rpartition('.engine.')[0]}.{recorders}")
    package.prepare()
    sys.modules[KERNEL_PROBE] = _Lazy(shell.user_ns, inbox, outbox, package)


class _Lazy(ModuleType):
    """Answers requests; importing torch before the notebook does would count as the notebook's time."""

    def __init__(self, namespace: dict[str, Any], inbox: str, outbox: str, package: ModuleType) -> None:
        super().__init__(KERNEL_PROBE)
        self._package = package
        self._arguments = namespace, inbox, outbox
        self._requests: Any = None

    def take(self, cell: str) -> None:
        """Answer what is asked at one test cell."""
        if self._requests is None:
            from .requests import Requests  # noqa: PLC0415

            self._requests = Requests(*self._arguments, self._package.recorders())
        self._requests.take(cell)


def _limit_printing(shell: Any) -> None:
    """Drop what a cell prints past a million characters, with one line that says so.

    IPython puts a `write` of its own on the streams for each cell, and keeps all it is given: so ours goes on top of it,
    for each cell anew.
    """

    def start_anew(*_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.write = _limited(stream.write)  # type: ignore[method-assign]

    shell.events.register("pre_run_cell", start_anew)


def _limited(write: Callable[[str], int]) -> Callable[[str], int]:
    left = MAX_PRINTED

    def limited(text: str) -> int:
        nonlocal left
        if left <= 0:
            return len(text)
        shown = text if len(text) <= left else f"{text[:left]}\n{CUT}\n"
        left -= len(text)
        return write(shown)

    return limited


def after_import(name: str, call: Callable[[ModuleType], None]) -> None:
    """Have a function called with a module right after its first import."""
    sys.meta_path.insert(0, _AfterImport(name, call))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module right after its first import."""

    def __init__(self, name: str, call: Callable[[ModuleType], None]) -> None:
        self._name, self._call = name, call

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._call(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
