"""Read a cell's source without running it."""

import ast

MAX_CODE = 1_000_000  # characters; a syntax tree takes some hundred bytes of memory a character


def parse_cell(source: str) -> ast.Module:
    """Parse a cell; IPython's own lines are left out, and a cell that does not parse defines nothing."""
    lines = ("" if line.lstrip().startswith(("!", "%", "?")) else line for line in source.splitlines())
    try:
        return ast.parse("\n".join(lines) if len(source) <= MAX_CODE else "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def defined(source: str) -> set[str]:
    """Return the names that a cell's own statements bind: functions, classes and variables."""
    names = set()
    for node in parse_cell(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names
