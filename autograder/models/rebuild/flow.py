"""Which operations the output depends on, and where an operation in place may become one that is not.

In the graphs of `torch.export` `relu_(x)` changes `x`. Where no other name for that memory is read later, the operation
is rewritten to its twin that returns a new tensor, and later readers of `x` read that: the data flow becomes visible
and recorded feature maps stay as they were. Elsewhere it stays in place, as in `x[:, 0] = 0`.
"""

from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import Any

from .operations import returns_alias
from .schema import Graph, Operation, Ref


@dataclass(frozen=True)
class Flow:
    """The live operations in order, the output's name, and the memory (by its first name) changed in place."""

    operations: tuple[Operation, ...]
    output: str
    changed: frozenset[str]
    roots: dict[str, str]


def trace_flow(graph: Graph, twins: Container[str]) -> Flow:
    """Resolve operations in place; `twins` holds the names of operations that may stand in for them."""
    memory = _Memory()
    for name in (graph.input.name, *(weight.name for weight in graph.weights)):
        memory.begin(name)
    operations = [memory.follow(operation) for operation in graph.operations]
    output = memory.resolve(graph.output)
    kept = _read_through_other_names(operations, _last_uses(operations, output), memory)
    resolved = [
        replace(operation, op=_twin(operation.op))
        if in_place(operation.op) and _twin(operation.op) in twins and operation.name not in kept
        else operation
        for operation in operations
    ]
    return Flow(_live(resolved, output, memory), output, _changed(resolved, memory), memory.roots)


def in_place(op: str) -> bool:
    """Whether an ATen operation changes its first argument: its name ends in an underscore."""
    return op.startswith("aten.") and op.split(".")[1].endswith("_")


def _twin(op: str) -> str:
    namespace, packet, overload = op.split(".", 2)
    return f"{namespace}.{packet.rstrip('_')}.{overload}"


@dataclass
class _Memory:
    """Which names share memory (`roots`), and what an in-place operation renamed (`renamed`)."""

    roots: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str, root: str | None = None) -> None:
        """Note a value, and the first name of the memory it shows."""
        self.roots[name] = root or name

    def follow(self, operation: Operation) -> Operation:
        """Give the operation with renamed arguments, and note whose memory its result shows."""
        args, kwargs = self._renamed(operation.args), {k: self._renamed(v) for k, v in operation.kwargs.items()}
        operation = replace(operation, args=args, kwargs=kwargs)
        target = operation.target
        if target is not None and in_place(operation.op):
            self.renamed[target] = operation.name
            self.begin(operation.name, self.roots[target])
        elif target is not None and returns_alias(operation.op):
            self.begin(operation.name, self.roots[target])
        else:
            self.begin(operation.name)
        return operation

    def resolve(self, name: str) -> str:
        """Give the name that now stands for a value; the way there is remembered, however long."""
        passed = []
        while name in self.renamed:
            passed.append(name)
            name = self.renamed[name]
        self.renamed.update(dict.fromkeys(passed, name))
        return name

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return Ref(self.resolve(value.name))
        return tuple(self._renamed(item) for item in value) if isinstance(value, tuple) else value


def _last_uses(operations: list[Operation], output: str) -> dict[str, int]:
    last = {name: position for position, operation in enumerate(operations) for name in operation.references}
    return {**last, output: len(operations)}


def _read_through_other_names(operations: list[Operation], last: dict[str, int], memory: _Memory) -> set[str]:
    """The operations in place whose memory is read later under a name that is older than they are and not renamed."""
    latest: dict[str, list[tuple[int, str]]] = {}
    for name in memory.roots.keys() - {operation.name for operation in operations}:
        latest[name] = [(last.get(name, -1), name)]
    found = set()
    for position, operation in enumerate(operations):
        readers = latest.setdefault(memory.roots[operation.name], [])
        if in_place(operation.op) and any(use > position and name != operation.target for use, name in readers):
            found.add(operation.name)
        # The two latest uses are enough: one of them may be the operation's own target.
        readers[:] = sorted([*readers, (last.get(operation.name, -1), operation.name)])[-2:]
    return found


def _changed(operations: list[Operation], memory: _Memory) -> frozenset[str]:
    return frozenset(memory.roots[operation.name] for operation in operations if in_place(operation.op))


def _live(operations: list[Operation], output: str, memory: _Memory) -> tuple[Operation, ...]:
    """Walk back from the output; a change in place counts for every later reader of that memory."""
    live, roots = {output}, {memory.roots[output]}
    kept = []
    for operation in reversed(operations):
        changes = in_place(operation.op) and memory.roots[operation.name] in roots
        if operation.name in live or changes:
            kept.append(operation)
            live |= set(operation.references)
            roots |= {memory.roots[name] for name in operation.references}
    return tuple(reversed(kept))
