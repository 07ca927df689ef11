"""Which operations the output depends on, and where an operation in place may become one that is not.

In the graphs of `torch.export` `relu_(x)` changes `x`. Where no other name for that memory is read later, the operation
is rewritten to its twin that returns a new tensor, and later readers of `x` read that: the data flow becomes visible
and recorded feature maps stay as they were. Elsewhere it stays in place, as in `x[:, 0] = 0`.
"""

from dataclasses import dataclass, replace
from typing import Any

from .operations import functions, in_place, returns_alias
from .schema import Graph, Operation, Ref


@dataclass(frozen=True)
class DataFlow:
    """The live operations in order, the output's name, and the memory (by its first name) changed in place.

    `roots` gives the first name of the memory that each value shows.
    """

    operations: tuple[Operation, ...]
    output: str
    changed: frozenset[str]
    roots: dict[str, str]


def trace_flow(graph: Graph) -> DataFlow:
    """Resolve operations in place, and leave out what the output does not depend on."""
    given = [graph.input.name, *(weight.name for weight in graph.weights)]
    memory = _Memory(given)
    operations = [memory.follow(operation) for operation in graph.operations]
    output = memory.resolve(graph.output)
    kept = _read_through_other_names(given, operations, output, memory.roots)
    resolved = []
    for operation in operations:
        namespace, name, overload = operation.op.split(".", 2) if in_place(operation.op) else ("", "", "")
        twin = f"{namespace}.{name.rstrip('_')}.{overload}"
        rewritten = twin in functions() and operation.name not in kept
        resolved.append(replace(operation, op=twin) if rewritten else operation)
    changed = frozenset(memory.roots[operation.name] for operation in resolved if in_place(operation.op))
    return DataFlow(_live(resolved, output, memory.roots), output, changed, memory.roots)


class _Memory:
    """Which names share memory (`roots`), and what an in-place operation renamed."""

    def __init__(self, names: list[str]) -> None:
        self.roots = {name: name for name in names}
        self._renamed: dict[str, str] = {}

    def follow(self, operation: Operation) -> Operation:
        """Return the operation with renamed arguments, and note whose memory its result shows."""
        args = self._rename(operation.args)
        kwargs = {key: self._rename(value) for key, value in operation.kwargs.items()}
        operation = replace(operation, args=args, kwargs=kwargs)
        target = operation.target
        shares = target is not None and (in_place(operation.op) or returns_alias(operation.op))
        self.roots[operation.name] = self.roots[target] if target is not None and shares else operation.name
        if target is not None and in_place(operation.op):
            self._renamed[target] = operation.name
        return operation

    def resolve(self, name: str) -> str:
        """Return the name that now stands for a value; the way there is remembered, however long."""
        passed = []
        while name in self._renamed:
            passed.append(name)
            name = self._renamed[name]
        self._renamed.update(dict.fromkeys(passed, name))
        return name

    def _rename(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return Ref(self.resolve(value.name))
        return tuple(self._rename(item) for item in value) if isinstance(value, tuple) else value


def _read_through_other_names(
    given: list[str], operations: list[Operation], output: str, roots: dict[str, str]
) -> set[str]:
    """Return the operations in place whose memory is read later under a name that is older than they are, not renamed."""
    last = {name: position for position, operation in enumerate(operations) for name in operation.references}
    last[output] = len(operations)
    latest = {name: [(last.get(name, -1), name)] for name in given}
    found = set()
    for position, operation in enumerate(operations):
        readers = latest.setdefault(roots[operation.name], [])
        if in_place(operation.op) and any(use > position and name != operation.target for use, name in readers):
            found.add(operation.name)
        # The two latest uses are enough: one of them may be the operation's own target.
        readers[:] = sorted([*readers, (last.get(operation.name, -1), operation.name)])[-2:]
    return found


def _live(operations: list[Operation], output: str, roots: dict[str, str]) -> tuple[Operation, ...]:
    """Walk back from the output; a change in place counts for every later reader of that memory."""
    live, read = {output}, {roots[output]}
    kept = []
    for operation in reversed(operations):
        if operation.name in live or (in_place(operation.op) and roots[operation.name] in read):
            kept.append(operation)
            live |= set(operation.references)
            read |= {roots[name] for name in operation.references}
    return tuple(reversed(kept))
