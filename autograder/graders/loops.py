"""Find the places of a notebook where gradients are computed: the functions or loops that call `.backward()`."""

import ast

from autograder.notebook.executed import Executed
from autograder.notebook.syntax import parse_cell

TASK_5 = "task5_cam"


def training_loops(notebook: Executed) -> list[str]:
    """Return where `.backward()` is called before Task 5, a place each: "train(), cell 12" or "cell 12, line 3"."""
    places = []
    for number, source in notebook.numbered_code(until=TASK_5):
        places += [_named(node, number) for node in parse_cell(source).body for node in _calling(node)]
    return places


def _calling(node: ast.stmt) -> list[ast.stmt]:
    """Return the outermost functions, or the statement itself, that call `.backward()`; a class's methods each."""
    if isinstance(node, ast.ClassDef):
        return [inner for part in node.body for inner in _calling(part)]
    calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return [node] if any(isinstance(call, ast.Attribute) and call.attr == "backward" for call in calls) else []


def _named(node: ast.stmt, number: int) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"{node.name}() [{number}]"
    return f"[{number}:{node.lineno}]"
