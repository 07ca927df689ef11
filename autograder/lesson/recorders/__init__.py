"""The lesson's recorders, run inside the sandbox; torch is imported only at the first request.

From the notebook's own import of torch on, gradient steps are counted. CIFAR-10's files are accepted although the
profile's split does not have the original's MD5 sums.
"""

import os
from functools import partial
from types import ModuleType

from ...engine.inside import Recorder, after_import
from . import imports

CIFAR = "torchvision.datasets.cifar"


def prepare() -> None:
    """Prepare a fresh kernel."""
    imports.prepare()
    after_import("torch", _watch_gradients)
    after_import(CIFAR, _relax_cifar)


def recorders() -> dict[str, Recorder]:
    """Return what answers each kind of request."""
    from .calls import Calls
    from .images import VisibleImages, record_data
    from .maps import record_maps
    from .networks import record_layer, record_model

    images = VisibleImages()
    return {
        "call": Calls().record,
        "layer": record_layer,
        "model": partial(record_model, images),
        "data": partial(record_data, images),
        "map": partial(record_maps, images),
    }


def _watch_gradients(_torch: ModuleType) -> None:
    from ...models.capture import count_steps

    count_steps()


def _relax_cifar(module: ModuleType) -> None:
    """Let torchvision load CIFAR-10 from files that are there, whatever their MD5 sums."""
    module.check_integrity = lambda path, _md5=None: os.path.isfile(path)  # type: ignore[attr-defined]  # noqa: PTH113
