"""Exports a student's model as data: `graph.json`, `weights.npz` and, if possible, `train.json`.

There are three ways to see a model's tensor operations: `torch.export`, `make_fx`, and a recorder under autograd. Each
takes the model as it stands (mode, hooks) and returns a `TracedGraph`, or raises.
"""

import io
import logging
import operator
import random
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.amp.autocast_mode import _enter_autocast, _exit_autocast  # as make_fx writes them
from torch.export.graph_signature import InputKind
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from .graph import ExportError, TracedGraph, Weights, encode, type_name

CONTAINERS = (dict, OrderedDict, list, set)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Method(StrEnum):
    """How the graph was obtained, best first."""

    EXPORT = "export"
    EXPORT_WITHOUT_HOOKS = "export-without-hooks"
    MAKE_FX = "make_fx"
    DISPATCH = "dispatch"


@dataclass(frozen=True)
class Exported:
    """The result of an export: its method, the model's parameter count, whether train.json was written."""

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
    example = beside(model, example.detach())
    weights, methods, train = Weights(model), list(Method), None
    with _quiet(), torch.no_grad(), torch.compiler.set_stance("force_eager"), as_found(model):
        model.eval()
        _require_scores(model, example)
        method, graph = _first_that_works(model, example, weights, methods)
        model.train()  # where layers under `if self.training` appear
        with suppress(ExportError):
            _require_scores(model, example)
            _, train = _first_that_works(model, example, weights, methods[methods.index(method) :])
    folder.mkdir(parents=True, exist_ok=True)
    graph.write(folder / "graph.json", method)
    if train is not None:
        train.write(folder / "train.json", method)
    np.savez(folder / "weights.npz", **weights.arrays)  # type: ignore[arg-type]
    return Exported(method, sum(p.numel() for p in model.parameters()), train is not None)


def beside(model: nn.Module, images: Tensor) -> Tensor:
    """Return images on the device that the model's first tensor is on."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return images if first is None else images.to(first.device)


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


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Restore modes, attributes, hooks, buffers, gradients and random states when the block ends."""
    modules = [(module, module.training, dict(vars(module))) for module in model.modules()]
    held = [value for _, _, attributes in modules for value in attributes.values() if type(value) in CONTAINERS]
    contents = [(container, container.copy()) for container in held]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - the student's
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        for container, content in contents:
            if isinstance(container, list):
                container[:] = content
            else:
                container.clear()
                container.update(content)
        for module, training, attributes in modules:
            vars(module).clear()
            vars(module).update(attributes)
            if module.training != training:  # a ScriptModule keeps its mode elsewhere
                module.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - the student's own generator is the global one
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def _require_scores(model: nn.Module, example: Tensor) -> None:
    """Run the live model once, so that its own error is reported as such."""
    with as_found(model):
        try:
            output = model(example.clone())
        except Exception as error:
            raise ExportError(f"The model does not run: {_first_line(error)}") from error
    if not isinstance(output, Tensor):
        raise ExportError(f"The model returns a {type(output).__name__}; it must return one tensor of scores (B, 10).")


def _first_that_works(
    model: nn.Module, example: Tensor, weights: Weights, methods: list[Method]
) -> tuple[Method, TracedGraph]:
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


def _trace(method: Method, model: nn.Module, example: Tensor, weights: Weights) -> TracedGraph | None:
    """Trace by one method; None where it would drop the model's hooks, and there are none."""
    with as_found(model):
        if method is Method.EXPORT_WITHOUT_HOOKS:
            hooks = [found for module in model.modules() for name in HOOKS if (found := vars(module).get(name))]
            if not hooks:
                return None
            for registry in hooks:
                registry.clear()
        return TRACERS[method](model, example.clone(), weights)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings and output of the tracers, and what `forward` prints during tracing."""
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


def by_export(model: nn.Module, example: Tensor, weights: Weights) -> TracedGraph:
    """Trace with `torch.export` (not strict): layers stay whole, weights keep their names."""
    program = torch.export.export(model, (example,), strict=False)
    values: dict[str, Tensor] = {**program.constants, **program.state_dict}
    live = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    placeholders: dict[str, Tensor | None] = {}
    for spec in program.graph_signature.input_specs:
        target = spec.target or ""
        known = live[target] if target in live else values.get(target)
        placeholders[spec.arg.name] = None if spec.kind is InputKind.USER_INPUT else known
    return _from_fx(program.graph_module, placeholders, weights)


def by_make_fx(model: nn.Module, example: Tensor, weights: Weights) -> TracedGraph:
    """Trace with real tensors above autograd: passes hooks, `.numpy()` and autocast."""
    module = make_fx(model, tracing_mode="real", pre_dispatch=True)(example)
    return _from_fx(module, {}, weights)


def by_dispatch(model: nn.Module, example: Tensor, weights: Weights) -> TracedGraph:
    """Record what runs on the example below autograd: passes everything, on the example's own path."""
    recorder = _Recorder(TracedGraph(weights), example)
    with recorder:
        output: object = model(example)
    if not isinstance(output, Tensor) or id(output) not in recorder.names:
        raise ExportError("The model's output is not computed by tensor operations.")
    recorder.graph.close(recorder.names[id(output)])
    return recorder.graph


def _from_fx(module: fx.GraphModule, placeholders: dict[str, Tensor | None], weights: Weights) -> TracedGraph:
    graph = TracedGraph(weights)
    autocast: list[str | None] = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            tensor = placeholders.get(node.name)
            if tensor is None:
                graph.add_input(node.name, node.meta["val"])
            else:
                graph.add_weight(node.name, tensor)
        elif node.op == "get_attr":
            value = operator.attrgetter(str(node.target))(module)
            if isinstance(value, Tensor):
                graph.add_weight(node.name, value)
        elif node.target is _enter_autocast:
            _device, dtype, enabled, _cache = node.args
            autocast.append(type_name(dtype or torch.bfloat16) if enabled else None)
        elif node.target is _exit_autocast:
            autocast.pop()
        elif node.op == "call_function" and node.target is not torch._C._set_grad_enabled:
            _add_call(graph, node, autocast[-1] if autocast else None)
        elif node.op == "output":
            graph.close(_only(node.args[0]).name)
    return graph


def _add_call(graph: TracedGraph, node: fx.Node, autocast: str | None) -> None:
    if node.target is not operator.getitem and not isinstance(node.target, torch._ops.OpOverload):
        raise ExportError(f"The graph calls {node.target}, which is not a tensor operation.")

    def name_of(value: object) -> str | None:
        return value.name if isinstance(value, fx.Node) else None

    op = "getitem" if node.target is operator.getitem else str(node.target)
    args = [encode(item, name_of) for item in node.args]
    kwargs = {key: encode(item, name_of) for key, item in node.kwargs.items()}
    graph.add_node(node.name, op, args, kwargs, node.meta.get("val"), autocast)


def _only(output: Any) -> Any:
    """Take the single tensor a model returns; `torch.export` wraps it in a tuple."""
    if isinstance(output, tuple | list) and len(output) == 1:
        return output[0]
    if isinstance(output, fx.Node):
        return output
    raise ExportError("The model returns several tensors; it must return one tensor of scores (B, 10).")


class _Recorder(TorchDispatchMode):
    """Records each operation as it runs; tensors that no recorded operation made are weights or constants."""

    def __init__(self, graph: TracedGraph, example: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph
        self.names: dict[int, str] = {id(example): "images"}
        self.kept: list[Tensor] = [example]  # an id is reused once its tensor is gone
        graph.add_input("images", example)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Run the operation, then record it."""
        del types
        kwargs = kwargs or {}
        name = f"{func.overloadpacket.__name__}_{len(self.graph.nodes)}"
        arguments = [encode(item, self._name) for item in args]
        named = {key: encode(item, self._name) for key, item in kwargs.items()}
        result = func(*args, **kwargs)
        if isinstance(result, Tensor | tuple | list):
            self.graph.add_node(name, str(func), arguments, named, result)
            self._remember(name, result)
        return result

    def _remember(self, name: str, result: Any) -> None:
        if isinstance(result, Tensor):
            self.kept.append(result)
            self.names[id(result)] = name
            return
        for index, item in enumerate(result):
            if isinstance(item, Tensor):
                single = f"{name}_{index}"
                self.graph.add_node(single, "getitem", [{"node": name}, index], {}, item)
                self._remember(single, item)

    def _name(self, value: object) -> str | None:
        if not isinstance(value, Tensor):
            return None
        if id(value) not in self.names:
            self.kept.append(value)
            name = self.names[id(value)] = f"weight_{len(self.kept)}"
            self.graph.add_weight(name, value)
        return self.names[id(value)]


TRACERS: dict[Method, Callable[[nn.Module, Tensor, Weights], TracedGraph]] = {
    Method.EXPORT: by_export,
    Method.EXPORT_WITHOUT_HOOKS: by_export,
    Method.MAKE_FX: by_make_fx,
    Method.DISPATCH: by_dispatch,
}
