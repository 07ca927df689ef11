"""Makes the notebook's own imports faster, without any other effect.

torchvision imports `torch._dynamo`, a compiler of 1,500 modules, for a function that one of its operators may call. That is as
long as torch itself takes, and a notebook that makes no optimiser needs none of it.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ...engine.inside import around_import, collector_paused

LARGE = ("torch", "torchvision", "matplotlib.pyplot", "torch._dynamo")
IMPORTER = "torchvision.ops.roi_align"
COMPILER, UTILITIES = "torch._dynamo", "torch._dynamo.utils"
FUNCTION = "is_compile_supported"


def prepare() -> None:
    """Prepare the imports; nothing is imported yet."""
    around_import(IMPORTER, _compiler_put_off)
    for name in LARGE:
        around_import(name, collector_paused)


class _Utilities(ModuleType):
    """Stands for the compiler's utilities until a name is taken from them, which for one function is not the import yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for some
            raise AttributeError(name)
        _remove_stand_ins()
        if name == FUNCTION:
            return _is_compile_supported
        return getattr(importlib.import_module(UTILITIES), name)


def _is_compile_supported(device_type: str) -> Any:
    return getattr(importlib.import_module(UTILITIES), FUNCTION)(device_type)


@contextmanager
def _compiler_put_off(_module: ModuleType) -> Iterator[None]:
    if COMPILER not in sys.modules:
        sys.modules[COMPILER], sys.modules[UTILITIES] = ModuleType(COMPILER), _Utilities(UTILITIES)
    try:
        yield
    finally:
        _remove_stand_ins()


def _remove_stand_ins() -> None:
    if isinstance(sys.modules.get(UTILITIES), _Utilities):
        del sys.modules[COMPILER], sys.modules[UTILITIES]
