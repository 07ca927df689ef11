"""Records a layer's parameters, and one of `models`: graph, weights, outputs, history and results."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...engine.inside import MAX_TEXT, MissingNameError, deadline, failure
from ...models.capture import NO_NAME, export, step_counter
from .images import VisibleImages

SECONDS = 60.0
CURVES = ("train_loss", "val_loss", "val_accuracy")
ANY_COPY = "cam"
# Steps on these models' parameters are theirs alone; a network under another name may be one's original.
CLAIMING = ("baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom")
SCORES_AXES = 2  # (B, classes)
FIGURES = ("accuracy", "f1", "parameters")


def record_layer(
    namespace: dict[str, Any], request: dict[str, Any], _source: Path, _target: Path
) -> list[dict[str, Any]]:
    """Record the named layer's parameters; for anything but an `nn.Conv2d` only its type."""
    name = request["name"]
    record: dict[str, Any] = {"kind": "layer", "name": name}
    try:
        if name not in namespace:
            raise MissingNameError(name)
        layer = namespace[name]
        record["type"] = type(layer).__name__[:MAX_TEXT]
        if isinstance(layer, nn.Conv2d):
            named = isinstance(layer.padding, str)
            record |= {
                "is_conv2d": True,
                "in_channels": int(layer.in_channels),
                "out_channels": int(layer.out_channels),
                "kernel_size": _pair(layer.kernel_size),
                "stride": _pair(layer.stride),
                "padding": [0, 0] if named else _pair(layer.padding),
                "padding_name": layer.padding[:MAX_TEXT] if named else "",
                "dilation": _pair(layer.dilation),
                "groups": int(layer.groups),
            }
    except Exception as error:  # noqa: BLE001 - a layer with properties that raise is an answer too
        record["failure"] = failure(error)
    return [record]


def _pair(value: Any) -> list[int]:
    return [int(part) for part in (value if isinstance(value, tuple | list) else (value, value))]


def record_model(
    images: VisibleImages, namespace: dict[str, Any], request: dict[str, Any], _source: Path, target: Path
) -> list[dict[str, Any]]:
    """Record `models[name]` with its entries in `histories` and `results`, in order; a failure skips the rest.

    `failure` says why there is no model, `unscored` why a model that is there gives no scores.
    """
    name = request["name"]
    record: dict[str, Any] = {"kind": "model", "name": name}
    record["history"] = _entry(namespace, "histories", name, CURVES, _numbers)
    record["results"] = _entry(namespace, "results", name, FIGURES, _number)
    try:
        model = _model(namespace, name)
        record["type"] = type(model).__name__[:MAX_TEXT]
        with deadline(SECONDS):
            record["parameters"] = sum(parameter.numel() for parameter in model.parameters())
            record |= _steps(namespace, name, model)
    except BaseException as error:  # noqa: BLE001 - a student's `models` may raise anything
        record["failure"] = failure(error)
        return [record]
    try:
        batch = images.batch(namespace)
        with deadline(SECONDS):
            record |= _outputs(model, batch, target / name)
        if "outputs" in record:
            with deadline(SECONDS):
                record |= _export(model, batch, target / name)
    except BaseException as error:  # noqa: BLE001 - a student's model may raise anything
        record["unscored"] = failure(error)
    return [record]


def _model(namespace: dict[str, Any], name: str) -> nn.Module:
    models = namespace.get("models")
    if not isinstance(models, dict):
        raise MissingNameError("models" if models is None else f"models: {type(models).__name__}")
    if name not in models:
        raise MissingNameError(f'models["{name}"]')
    model = models[name]
    if not isinstance(model, nn.Module):
        raise MissingNameError(f'models["{name}"]: {type(model).__name__}')
    return model


def _steps(namespace: dict[str, Any], name: str, model: nn.Module) -> dict[str, Any]:
    """Return the gradient steps counted for the model; `models["cam"]` may be a copy of any other."""
    steps = step_counter()
    if steps is None:
        return {}
    kept = namespace["models"].items() if name != ANY_COPY else ()
    others = [other for key, other in kept if key in CLAIMING and key != name and isinstance(other, nn.Module)]
    return {"gradients": asdict(steps.seen(model, others, name if name in CLAIMING else NO_NAME))}


def _outputs(model: nn.Module, batch: torch.Tensor, folder: Path) -> dict[str, Any]:
    """Run the live model once, in eval mode; save its scores (B, n), or say what it returned instead of them."""
    with evaluating(model), torch.no_grad():
        scores = model(export.beside(model, batch))
    if not isinstance(scores, torch.Tensor):
        held = f" ({len(scores)})" if isinstance(scores, tuple | list | dict) else ""
        return {"returned": f"{type(scores).__name__}{held}"[:MAX_TEXT]}
    scores = scores.detach().as_subclass(torch.Tensor).cpu()
    scores = scores.float() if scores.dtype in {torch.bfloat16, torch.float16} else scores
    if scores.dim() != SCORES_AXES or len(scores) != len(batch):
        return {"returned": f"{type(scores).__name__} {tuple(scores.shape)}"[:MAX_TEXT]}
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "outputs.npy", scores.contiguous().numpy(), allow_pickle=False)
    return {"outputs": True}


def _export(model: nn.Module, batch: torch.Tensor, folder: Path) -> dict[str, Any]:
    try:
        exported = export.export_model(model, batch, folder)
    except Exception as error:  # noqa: BLE001 - that no method exports is itself what the grader must know
        return {"export_error": f"{type(error).__name__}: {error}"[:MAX_TEXT]}
    return {"method": exported.method, "train_graph": exported.train_graph}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module of the model in eval mode, and back in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _entry(
    namespace: dict[str, Any], table: str, name: str, fields: tuple[str, ...], read: Callable[[Any], Any]
) -> dict[str, Any] | None:
    """Return these fields of a model's entry in the notebook's table, converted by `read`; None without an entry."""
    values = namespace.get(table)
    entry = values.get(name) if isinstance(values, dict) else None
    return {field: read(entry.get(field)) for field in fields} if isinstance(entry, dict) else None


def _numbers(values: Any) -> list[float | None] | None:
    try:
        return [_number(value) for value in islice(values, 10_000)]
    except Exception:  # noqa: BLE001 - not a sequence of numbers
        return None


def _number(value: Any) -> float | None:
    """Return a finite float, or None."""
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - not a number
        return None
    return number if math.isfinite(number) else None
