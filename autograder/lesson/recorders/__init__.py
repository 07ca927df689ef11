"""What this lesson records inside the sandbox; imported with the standard library alone, the rest when it is asked.

From the notebook's own import of torch on, gradient steps are counted. CIFAR-10's files are accepted although the
profile's split does not have the original's MD5 sums.
"""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from ...engine.inside import Recorder, after_import

CIFAR = "torchvision.datasets.cifar"


def prepare() -> None:
    """Prepare a fresh kernel."""
    after_import("torch", _watch_gradients)
    after_import(CIFAR, _relax_cifar)


def recorders() -> dict[str, Recorder]:
    """Return what answers each kind of request."""
    from .calls import Calls
    from .data import VisibleImages, record_data
    from .layers import record_layer
    from .maps import record_maps
    from .models import record_model

    images = VisibleImages()

    def layer(namespace: dict[str, Any], request: dict[str, Any], _source: Path, _target: Path) -> list[dict[str, Any]]:
        return [record_layer(namespace, request["name"])]

    def model(namespace: dict[str, Any], request: dict[str, Any], _source: Path, target: Path) -> list[dict[str, Any]]:
        return [record_model(namespace, request["name"], images, target)]

    def data(namespace: dict[str, Any], _request: dict[str, Any], source: Path, target: Path) -> list[dict[str, Any]]:
        return [record_data(namespace, images, source, target)]

    def maps(namespace: dict[str, Any], request: dict[str, Any], _source: Path, target: Path) -> list[dict[str, Any]]:
        return record_maps(namespace, request["models"], images, target)

    return {"call": Calls().record, "layer": layer, "model": model, "data": data, "map": maps}


def _watch_gradients(_torch: ModuleType) -> None:
    from ...models.capture import watch

    watch()


def _relax_cifar(module: ModuleType) -> None:
    """Let torchvision load CIFAR-10 from files that are there, whatever their MD5 sums."""
    module.check_integrity = lambda path, _md5=None: os.path.isfile(path)  # type: ignore[attr-defined]  # noqa: PTH113
