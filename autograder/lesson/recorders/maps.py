"""Call `cam(model, image, class_index)` on visible images and write down the maps it returns."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...engine.inside import MAX_TEXT, MissingNameError, deadline, failure
from ...models.capture import export
from .calls import as_array, describe, find_function
from .images import VisibleImages
from .networks import evaluating

OWN = "cam"
IMAGES = 4
SECONDS = 20.0
SECONDS_IN_ALL = 80.0
LARGEST = 1_024  # pixels per side that are saved; larger maps are averaged down
_NOT_ASKED = {"fault": "timeout", "type": "NotAsked", "message": f"{SECONDS_IN_ALL:g} s"}


def record_maps(
    images: VisibleImages, namespace: dict[str, Any], request: dict[str, Any], _source: Path, target: Path
) -> list[dict[str, Any]]:
    """Record the maps of `models["cam"]` if it exists, else of every named model; the grader chooses one.

    After a timeout a model is skipped; once the total time is used up, so are all.
    """
    started = time.monotonic()
    records = []
    for name, model in _models(namespace, request["models"]):
        classes: torch.Tensor | None = None
        for image in range(IMAGES):
            record: dict[str, Any] = {"kind": "map", "name": "cam", "model": name, "image": image, "class_index": -1}
            records.append(record)
            left = SECONDS_IN_ALL - (time.monotonic() - started)
            if left <= 0:
                record["failure"] = _NOT_ASKED
                break
            try:
                find_function(namespace, "cam")
                with deadline(min(SECONDS, left)):
                    batch = images.batch(namespace)
                    if classes is None:  # (B,), what the model itself predicts for each image
                        with evaluating(model), torch.no_grad():
                            classes = model(export.beside(model, batch)).argmax(1)
                    record |= _map(namespace, model, batch, image, classes, target / f"map-{name}-{image}.npy")
            except BaseException as error:  # noqa: BLE001 - whatever a student raises is an answer
                record["failure"] = failure(error)
            fault = record.get("failure", {}).get("fault")
            if fault == "timeout" and left < SECONDS:
                record["failure"] = _NOT_ASKED
            if fault == "missing":
                return records
            if fault == "timeout" or classes is None:
                break
    return records


def _models(namespace: dict[str, Any], names: list[str]) -> list[tuple[str, nn.Module]]:
    """Return the models of these names, in the notebook's order."""
    models = namespace.get("models")
    entries = models.items() if isinstance(models, dict) else ()
    known = [(n, m) for n, m in entries if isinstance(n, str) and n in names and isinstance(m, nn.Module)]
    return [(n, m) for n, m in known if n == OWN] or known


def _map(
    namespace: dict[str, Any], model: nn.Module, batch: torch.Tensor, image: int, classes: torch.Tensor, target: Path
) -> dict[str, Any]:
    if image >= len(batch):
        raise MissingNameError(f"testset[{image}]")
    class_index = int(classes[image])
    with evaluating(model), torch.enable_grad():
        returned = namespace["cam"](model, batch[image].clone(), class_index)
    record: dict[str, Any] = {"class_index": class_index, "returned": describe(returned)[:MAX_TEXT]}
    array = as_array(returned)
    if array is not None and array.ndim == 2:
        if max(array.shape) > LARGEST:
            size = min(array.shape[0], LARGEST), min(array.shape[1], LARGEST)
            array = F.adaptive_avg_pool2d(torch.from_numpy(array.astype(np.float64))[None], size)[0].numpy()
        np.save(target, array, allow_pickle=False)
        record["array"] = True
    elif array is not None:
        record["returned"] += f" {array.shape}"[:MAX_TEXT]
    return record
