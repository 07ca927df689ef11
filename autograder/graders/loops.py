"""Find the places of a notebook where gradients are computed: the functions or loops that call `.backward()`.

The notebook's cell `task4_helpers` has the same rule for students; tests hold both against one table of cases.
"""

import ast
from collections.abc import Iterable

from autograder.notebook.syntax import parse_cell, plain_statements

NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def training_loops(cells: Iterable[tuple[int, str]]) -> list[str]:
    """Return where these cells, by number, call `.backward()`: "train() [12]" or, outside functions, "[12:3]" with the line.

    A function is one place, and so is a class, whatever it holds. A later definition takes the place of an earlier one
    of its name, and a cell that is there twice is one cell run twice.
    """
    named: dict[str, str] = {}
    loose = []
    seen: set[str] = set()
    for number, source in cells:
        for statement in plain_statements(parse_cell(source).body):
            if isinstance(statement, NAMED):
                named.pop(statement.name, None)
                if _calls_backward(statement):
                    brackets = "" if isinstance(statement, ast.ClassDef) else "()"
                    named[statement.name] = f"{statement.name}{brackets} [{number}]"
            elif source not in seen and _calls_backward(statement):
                loose.append(f"[{number}:{statement.lineno}]")
        seen.add(source)
    return [*named.values(), *loose]


def _calls_backward(node: ast.AST) -> bool:
    calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return any(isinstance(call, ast.Attribute) and call.attr == "backward" for call in calls)
