"""Write a student's model as data: `graph.json`, `weights.npz` and, where it works, `train.json`."""

import io
import logging
import random
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .graph import ExportError, Graph, Weights
from .trace import Tracer, by_dispatch, by_export, by_make_fx

CONTAINERS = (dict, OrderedDict, list, set)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class _Module:
    """One module's mode and attributes, with a copy of what its own lists and dictionaries hold."""

    module: nn.Module
    training: bool
    attributes: dict[str, Any]
    contents: list[tuple[Any, Any]]

    @classmethod
    def of(cls, module: nn.Module) -> "_Module":
        attributes = dict(vars(module))
        held = [value for value in attributes.values() if type(value) in CONTAINERS]
        return cls(module, module.training, attributes, [(value, value.copy()) for value in held])

    def restore(self) -> None:
        for container, content in self.contents:
            if isinstance(container, list):
                container[:] = content
            else:
                container.clear()
                container.update(content)
        vars(self.module).clear()
        vars(self.module).update(self.attributes)
        if self.module.training != self.training:  # a ScriptModule keeps its mode elsewhere
            self.module.training = self.training


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Restore modes, attributes, hooks, buffers, gradients and random states when the block ends."""
    modules = [_Module.of(module) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    states = _random_states()
    try:
        yield
    finally:
        for module in modules:
            module.restore()
        _restore_tensors(buffers, gradients)
        _restore_random(*states)


def drop_hooks(model: nn.Module) -> bool:
    """Remove every hook of the model (inside `as_found`); say whether there was one."""
    found = [vars(module).get(name) for module in model.modules() for name in HOOKS]
    hooks = [hooks for hooks in found if hooks]
    for registry in hooks:
        registry.clear()
    return bool(hooks)


def _restore_tensors(buffers: list[tuple[Tensor, Tensor]], gradients: list[tuple[nn.Parameter, Tensor | None]]) -> None:
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    for parameter, gradient in gradients:
        parameter.grad = gradient


def _random_states() -> tuple[Any, Any, Tensor, list[Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002


def _restore_random(python: Any, numpy: Any, cpu: Tensor, cuda: list[Tensor]) -> None:
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002 - the student's own generator is the global one
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)


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
