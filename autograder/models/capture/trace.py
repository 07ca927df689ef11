"""Three ways to see a model's tensor operations: `torch.export`, `make_fx`, and a recorder under autograd.

Each takes the model as it stands (mode, hooks) and returns a `Graph`, or raises.
"""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.amp.autocast_mode import _enter_autocast, _exit_autocast  # as make_fx writes them
from torch.export.graph_signature import InputKind
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from .graph import ExportError, Graph, NodeEntry, Weights, encode, type_names

Tracer = Callable[[nn.Module, Tensor, Weights], Graph]


def by_export(model: nn.Module, example: Tensor, weights: Weights) -> Graph:
    """Trace with `torch.export` (not strict): layers stay whole, weights keep their names."""
    program = torch.export.export(model, (example,), strict=False)
    values: dict[str, Tensor] = {**program.constants, **program.state_dict}
    live = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    placeholders: dict[str, Tensor | None] = {}
    for spec in program.graph_signature.input_specs:
        target = spec.target or ""
        known = live[target] if target in live else values.get(target)
        placeholders[spec.arg.name] = None if spec.kind is InputKind.USER_INPUT else known
    return _from_fx(program.graph_module, placeholders, Graph(weights))


def by_make_fx(model: nn.Module, example: Tensor, weights: Weights) -> Graph:
    """Trace with real tensors above autograd: passes hooks, `.numpy()` and autocast."""
    module = make_fx(model, tracing_mode="real", pre_dispatch=True)(example)
    return _from_fx(module, {}, Graph(weights))


def by_dispatch(model: nn.Module, example: Tensor, weights: Weights) -> Graph:
    """Record what runs on the example below autograd: passes everything, on the example's own path."""
    recorder = _Recorder(Graph(weights), example)
    with recorder:
        output = model(example)
    return recorder.close(output)


def _from_fx(module: fx.GraphModule, placeholders: dict[str, Tensor | None], graph: Graph) -> Graph:
    autocast: list[str | None] = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            tensor = placeholders.get(node.name)
            if tensor is None:
                graph.add_input(node.name, node.meta["val"])
            else:
                graph.add_weight(node.name, tensor)
        elif node.op == "get_attr":
            _add_attribute(graph, node.name, module, node.target)
        elif node.target is _enter_autocast:
            autocast.append(_autocast_type(*node.args))
        elif node.target is _exit_autocast:
            autocast.pop()
        elif node.op == "call_function" and node.target is not torch._C._set_grad_enabled:
            graph.nodes.append(_fx_entry(node, autocast[-1] if autocast else None))
        elif node.op == "output":
            graph.close(_only(node.args[0]).name)
    return graph


def _add_attribute(graph: Graph, name: str, module: fx.GraphModule, target: object) -> None:
    value = operator.attrgetter(str(target))(module)
    if isinstance(value, Tensor):
        graph.add_weight(name, value)


def _fx_entry(node: fx.Node, autocast: str | None) -> NodeEntry:
    if node.target is not operator.getitem and not isinstance(node.target, torch._ops.OpOverload):
        raise ExportError(f"The graph calls {node.target}, which is not a tensor operation.")
    op = "getitem" if node.target is operator.getitem else str(node.target)
    args = [encode(item, _fx_name) for item in node.args]
    kwargs = {key: encode(item, _fx_name) for key, item in node.kwargs.items()}
    return _entry(node.name, op, args, kwargs, node.meta.get("val"), autocast)


def _fx_name(value: object) -> str | None:
    return value.name if isinstance(value, fx.Node) else None


def _autocast_type(_device: str, dtype: torch.dtype | None, enabled: bool, _cache: object) -> str | None:
    return type_names[dtype or torch.bfloat16] if enabled else None


def _only(output: Any) -> Any:
    """Take the single tensor a model returns; `torch.export` wraps it in a tuple."""
    if isinstance(output, tuple | list) and len(output) == 1:
        return output[0]
    if isinstance(output, fx.Node):
        return output
    raise ExportError("The model returns several tensors; it must return one tensor of scores (B, 10).")


def _entry(
    name: str,
    op: str,
    args: list[object],
    kwargs: dict[str, object],
    result: object,
    autocast: str | None = None,
) -> NodeEntry:
    if not isinstance(result, Tensor):
        return NodeEntry(name, op, args, kwargs, shape=None, dtype=None, autocast=autocast)
    shape = [int(size) for size in result.shape]
    return NodeEntry(name, op, args, kwargs, shape, type_names[result.dtype], autocast)


class _Recorder(TorchDispatchMode):
    """Writes down each operation as it runs; tensors it never saw made are weights or constants."""

    def __init__(self, graph: Graph, example: Tensor) -> None:
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
            self.graph.nodes.append(_entry(name, str(func), arguments, named, result))
            self._remember(name, result)
        return result

    def close(self, output: object) -> Graph:
        """Finish the graph with the model's output."""
        if not isinstance(output, Tensor) or id(output) not in self.names:
            raise ExportError("The model's output is not computed by tensor operations.")
        self.graph.close(self.names[id(output)])
        return self.graph

    def _remember(self, name: str, result: Any) -> None:
        if isinstance(result, Tensor):
            self.kept.append(result)
            self.names[id(result)] = name
            return
        for index, item in enumerate(result):
            if isinstance(item, Tensor):
                single = f"{name}_{index}"
                arguments: list[object] = [{"node": name}, index]
                self.graph.nodes.append(_entry(single, "getitem", arguments, {}, item))
                self._remember(single, item)

    def _name(self, value: object) -> str | None:
        if not isinstance(value, Tensor):
            return None
        if id(value) not in self.names:
            self.kept.append(value)
            name = self.names[id(value)] = f"weight_{len(self.kept)}"
            self.graph.add_weight(name, value)
        return self.names[id(value)]
