"""Write a student's model as data: `graph.json`, `weights.npz` and, where it works, `train.json`."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .graph import Graph
from .restore import as_found, drop_hooks
from .trace import Tracer, by_dispatch, by_export, by_make_fx
from .weights import ExportError, Weights


class Method(StrEnum):
    """How the graph was obtained, best first."""

    EXPORT = "export"
    EXPORT_WITHOUT_HOOKS = "export-without-hooks"
    MAKE_FX = "make_fx"
    DISPATCH = "dispatch"


TRACERS: dict[Method, Tracer] = {
    Method.EXPORT: by_export,
    Method.EXPORT_WITHOUT_HOOKS: by_export,
    Method.MAKE_FX: by_make_fx,
    Method.DISPATCH: by_dispatch,
}


@dataclass(frozen=True)
class Exported:
    """How a model was written down, how many parameters it declares, whether train.json was written."""

    method: Method
    parameters: int
    train_graph: bool


def export_model(model: nn.Module, example: Tensor, folder: Path) -> Exported:
    """Write `model` as a graph of ATen operations with its weights into `folder`.

    `example` is one batch (B, C, H, W) as the student's data set gives it; its batch size stays fixed in the graph. Let
    it hold real images: where the model branches on values, the example's branch is the one written down. The model is
    left as it was found: mode, hooks, attributes, buffers, gradients and random states.

    Raises `ExportError`, with one sentence, when the model does not run on the example, returns anything but one
    tensor, or no method can follow it.
    """
    model = _unwrapped(model)
    example = example.detach().to(_device(model))
    weights = Weights(model)
    with _quiet(), torch.no_grad(), torch.compiler.set_stance("force_eager"), as_found(model):
        model.eval()
        _require_scores(model, example)
        method, graph = _first_that_works(model, example, weights, list(Method))
        train = _train_graph(model, example, weights, method)
    folder.mkdir(parents=True, exist_ok=True)
    graph.write(folder / "graph.json", method)
    if train is not None:
        train.write(folder / "train.json", method)
    np.savez(folder / "weights.npz", **weights.arrays)  # type: ignore[arg-type]
    return Exported(method, sum(p.numel() for p in model.parameters()), train is not None)


def _unwrapped(model: nn.Module) -> nn.Module:
    """Take the model out of `torch.compile` and `DataParallel`; refuse what has no weights yet."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            break
        model = inner
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        raise ExportError("The model has lazy layers that have never seen an image, so no weights.")
    return model


def _device(model: nn.Module) -> torch.device:
    tensors = [*model.parameters(), *model.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")


def _require_scores(model: nn.Module, example: Tensor) -> None:
    """Run the live model once, so that its own fault is named as its own."""
    with as_found(model):
        try:
            output = model(example.clone())
        except Exception as error:
            raise ExportError(f"The model does not run: {_first_line(error)}") from error
    if not isinstance(output, Tensor):
        raise ExportError(f"The model returns a {type(output).__name__}; it must return one tensor of scores (B, 10).")


def _first_that_works(
    model: nn.Module, example: Tensor, weights: Weights, methods: list[Method]
) -> tuple[Method, Graph]:
    reasons = []
    for method in methods:
        try:
            graph = _trace(method, model, example, weights)
        except Exception as error:  # noqa: BLE001 - a tracer may fail in any way; the next one tries
            reasons.append(f"{method}: {_first_line(error)}")
        else:
            if graph is not None:
                return method, graph
    raise ExportError(f"No method can follow the model ({'; '.join(reasons)}).")


def _trace(method: Method, model: nn.Module, example: Tensor, weights: Weights) -> Graph | None:
    with as_found(model):
        if method is Method.EXPORT_WITHOUT_HOOKS and not drop_hooks(model):
            return None
        return TRACERS[method](model, example.clone(), weights)


def _train_graph(model: nn.Module, example: Tensor, weights: Weights, method: Method) -> Graph | None:
    """Trace in training mode, where layers under `if self.training` appear; None where nothing follows it."""
    model.train()
    methods = list(Method)
    try:
        _require_scores(model, example)
        _, graph = _first_that_works(model, example, weights, methods[methods.index(method) :])
    except ExportError:
        return None
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the tracers say, and what `forward` prints again, out of the student's output."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
