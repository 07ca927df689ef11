"""Runs in the kernel: prepares it before the student's first cell and answers the grader's requests at each test cell.

First `exit()` is prevented from ending the kernel, a cell's printed text is limited to a million characters, and the
lesson's recorders are installed: a package whose `prepare()` is called at once, with the standard library alone, and
whose `recorders()` returns a function for each kind of request. At a test cell they answer the grader's requests.
"""

import gc
import importlib
import importlib.abc
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .failures import restored_generators

MAX_PRINTED = 1_000_000
CUT_MARK = "[… 1 MB]"
"""Marks the place where a cell's printed text was cut off."""

KERNEL_PROBE = "splot_probe_of_this_kernel"

Recorder = Callable[[dict[str, Any], dict[str, Any], Path, Path], list[dict[str, Any]]]
"""A function of the namespace, the request, the input folder and the output folder for arrays; returns records."""


def prepare(shell: Any, inbox: str, outbox: str, recorders: str) -> None:
    """Prepare the kernel whose IPython shell this is; `recorders` is the lesson's package, "lesson.recorders"."""
    shell.ask_exit = lambda: None
    _limit_printing(shell)
    package = importlib.import_module(f"{__name__.rpartition('.engine.')[0]}.{recorders}")
    package.prepare()
    sys.modules[KERNEL_PROBE] = Requests(shell.user_ns, inbox, outbox, package.recorders)


class Requests(ModuleType):
    """Answers requests: `request.json` and arrays from the inbox, records and arrays to the outbox.

    `recorders` is called at the first request: importing torch earlier would use the notebook's time.
    """

    def __init__(
        self, namespace: dict[str, Any], inbox: str, outbox: str, recorders: Callable[[], Mapping[str, Recorder]]
    ) -> None:
        super().__init__(KERNEL_PROBE)
        self._namespace = namespace
        self._inbox, self._outbox = Path(inbox), Path(outbox)
        self._get_recorders = recorders
        self._recorders: Mapping[str, Recorder] = {}

    def import_ahead(self, names: Sequence[str]) -> None:
        """Import modules that the notebook is likely to import; what is not there is left to its own cell."""
        for name in names:
            with suppress(ImportError):
                importlib.import_module(name)

    def take(self, cell: str) -> None:
        """Answer everything asked at one test cell; `answer.json` is written last."""
        self._recorders = self._recorders or self._get_recorders()
        source, target = self._inbox / cell, self._outbox / cell
        target.mkdir(parents=True, exist_ok=True)
        records: list[dict[str, Any]] = []
        with restored_generators():
            for request in json.loads((source / "request.json").read_text()):
                records += self._recorders[request["kind"]](self._namespace, request, source, target)
        (target / "answer.json").write_text(json.dumps({"records": records}))


def _limit_printing(shell: Any) -> None:
    """Drop what a cell prints past a million characters, with one line that says so.

    IPython puts a `write` of its own on the streams for each cell, and keeps all it is given: so this one wraps it,
    for each cell anew.
    """

    def limited(write: Callable[[str], int]) -> Callable[[str], int]:
        left = MAX_PRINTED

        def write_limited(text: str) -> int:
            nonlocal left
            if left <= 0:
                return len(text)
            shown = text if len(text) <= left else f"{text[:left]}\n{CUT_MARK}\n"
            left -= len(text)
            return write(shown)

        return write_limited

    def start_anew(*_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.write = limited(stream.write)  # type: ignore[method-assign]

    shell.events.register("pre_run_cell", start_anew)


def after_import(name: str, call: Callable[[ModuleType], None]) -> None:
    """Call a function with a module right after the module's first import."""

    @contextmanager
    def called_after(module: ModuleType) -> Iterator[None]:
        yield
        call(module)

    around_import(name, called_after)


def around_import(name: str, context: Callable[[ModuleType], AbstractContextManager[None]]) -> None:
    """Run a module's first import inside a context manager, which is given the module before it is filled."""
    sys.meta_path.insert(0, _AroundImport(name, context))


class _AroundImport(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, context: Callable[[ModuleType], AbstractContextManager[None]]) -> None:
        self._name, self._context = name, context

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
                with self._context(module):
                    execute(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@contextmanager
def collector_paused(_module: ModuleType) -> Iterator[None]:
    """Keep Python from looking for garbage during an import that makes a million objects and next to none: an eighth of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
