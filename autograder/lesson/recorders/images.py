"""Records `testset`: random images before and after its transform, and the first visible images."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset, default_collate

from ...engine.inside import MAX_TEXT, MissingNameError, deadline, failure

BATCH = 100
SHOWN = 8
SECONDS = 30.0
ATTRIBUTES = 24


class VisibleImages:
    """The first images of `testset` after the student's transform, cached as the input of the models."""

    def __init__(self) -> None:
        self._batch: torch.Tensor | None = None

    def batch(self, namespace: dict[str, Any]) -> torch.Tensor:
        """Return a batch (B, C, H, W) of at most 100 images."""
        if self._batch is None:
            dataset = _testset(namespace)
            with deadline(SECONDS):
                self._batch = _collate(dataset, min(BATCH, len(dataset)))
        return self._batch


def record_data(
    images: VisibleImages, namespace: dict[str, Any], _request: dict[str, Any], source: Path, target: Path
) -> list[dict[str, Any]]:
    """Describe `testset`, and save pairs of images before and after its transform."""
    record: dict[str, Any] = {"kind": "data"}
    try:
        dataset = _testset(namespace)
        while isinstance(dataset, Subset):
            dataset = dataset.dataset
        record["type"] = type(dataset).__name__[:MAX_TEXT]
        record["length"] = len(namespace["testset"])
        record["steps"] = [_described(step) for step in _steps(getattr(dataset, "transform", None))][:32]
        with deadline(SECONDS):
            random, again = _transformed(dataset, source), _transformed(dataset, source)
        record["repeatable"] = torch.equal(random, again)
        np.save(target / "random.npy", random.numpy(), allow_pickle=False)
        np.save(target / "visible.npy", images.batch(namespace)[:SHOWN].numpy(), allow_pickle=False)
        record["pairs"] = True
    except BaseException as error:  # noqa: BLE001 - a student's dataset may raise anything
        record["failure"] = failure(error)
    return [record]


def _testset(namespace: dict[str, Any]) -> Any:
    dataset = namespace.get("testset")
    if dataset is None:
        raise MissingNameError("testset")
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        raise MissingNameError(f"testset: {type(dataset).__name__}")
    return dataset


def _collate(dataset: Any, n: int) -> torch.Tensor:
    batch = default_collate([dataset[index][0] for index in range(n)])
    if not isinstance(batch, torch.Tensor):
        raise MissingNameError(f"testset[0][0]: {type(dataset[0][0]).__name__}")
    return batch.detach().cpu().contiguous()


def _transformed(dataset: Any, source: Path) -> torch.Tensor:
    """Put random images in a copy of the dataset, so that torchvision itself opens them as it opens real ones."""
    stand_in = copy.copy(dataset)
    grey = isinstance(dataset.data, torch.Tensor)
    random = np.load(source / ("grey.npy" if grey else "colour.npy"), allow_pickle=False)
    stand_in.data = torch.from_numpy(random) if grey else random
    stand_in.targets = torch.zeros(len(random), dtype=torch.int64) if grey else [0] * len(random)
    return _collate(stand_in, len(random))


def _steps(transform: Any) -> list[Any]:
    """Flatten nested Compose and nn.Sequential into a list of single steps."""
    if transform is None:
        return []
    inner = getattr(transform, "transforms", None)
    if inner is None and isinstance(transform, torch.nn.Sequential):
        inner = list(transform)
    if not isinstance(inner, list | tuple):
        return [transform]
    return [step for part in inner for step in _steps(part)]


def _described(step: Any) -> dict[str, Any]:
    """Return a step's class name and its plain parameters."""
    parameters = {}
    for name, value in list(vars(step).items())[:ATTRIBUTES] if hasattr(step, "__dict__") else []:
        plain = _plain(value)
        if not name.startswith("_") and plain is not None:
            parameters[name[:64]] = plain
    return {"type": type(step).__name__[:MAX_TEXT], "parameters": parameters}


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it, or None."""
    value = getattr(value, "value", value)  # an interpolation mode is an enum
    if isinstance(value, torch.Tensor):
        value = value.flatten().tolist()
    if isinstance(value, list | tuple):
        parts = [_plain(part) for part in value[:8]]
        return [float(p) for p in parts] if all(isinstance(p, int | float) for p in parts) else None
    if isinstance(value, torch.dtype):
        return str(value)
    return value if isinstance(value, bool | int | float) else value[:64] if isinstance(value, str) else None
