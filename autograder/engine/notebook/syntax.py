"""Parses a cell's source as IPython does, without running it."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

MAX_CODE = 1_000_000  # characters; a syntax tree takes some hundred bytes of memory a character
MAX_DEPTH = 8  # magics within magics
MAX_ESCAPES = 8
"""IPython reads the whole cell again, 4 µs a character, for each of its own lines; beyond so many they are left out."""

INLINE_MAGICS = frozenset({"capture", "prun", "time", "timeit"})
"""Magics that run their text as Python in the notebook's namespace; the text of others is not parsed."""
CELL_MAGIC = re.compile(r"\s*%%(\w*)(\??)[^\n]*\n?")
ESCAPED = re.compile(r"^(?P<before>[ \t]*+(?:\w[\w., ]*+=)?+)[ \t]*+(?:[!%?].*|[\w.]++\?++)$", re.MULTILINE)


def parse_cell(source: str) -> ast.Module:
    """Parse a cell as IPython would. Shell lines become calls; a cell that is not Python gives an empty module.

    That is `%%bash` and its like, and a cell that does not parse.
    """
    return ast.Module(body=list(_statements(source, MAX_DEPTH)), type_ignores=[])


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


def plain_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, and for each `if`, `try` and `with` those that it holds."""
    waiting = [*body][::-1]
    while waiting:  # not recursive: a chain of `elif` is thousands of levels deep
        statement = waiting.pop()
        if isinstance(statement, ast.If | ast.Try | ast.With):
            held = [*statement.body]
            for handler in getattr(statement, "handlers", []):
                held += handler.body
            held += [*getattr(statement, "orelse", []), *getattr(statement, "finalbody", [])]
            waiting += held[::-1]
        else:
            yield statement


def _statements(source: str, depth: int) -> Iterator[ast.stmt]:
    """Yield a cell's statements; those that a magic runs here stand in its place."""
    if len(source) > MAX_CODE or not depth:
        return
    magic = CELL_MAGIC.match(source)
    if magic is None:
        for statement in _parse(source) or _parse(_translated(source)) or []:
            text = _inline_magic_text(statement)
            yield from [statement] if text is None else _statements(text, depth - 1)
    elif magic[1] in INLINE_MAGICS or magic[2]:  # `%%name?` shows help, and the rest of the cell runs
        yield from _statements(source[magic.end() :], depth - 1)


def _parse(source: str) -> list[ast.stmt] | None:
    """Parse Python as a notebook may have it, with `await` outside functions; None where it is not Python."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a string that is not raw
            module: ast.Module = compile(source, "cell", "exec", flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return module.body


def _inline_magic_text(statement: ast.stmt) -> str | None:
    """Return the text of a line magic that runs it here: `%time fit(model)`."""
    match statement:
        case ast.Expr(
            ast.Call(ast.Attribute(attr="run_line_magic"), [ast.Constant(str(name)), ast.Constant(str(text))])
        ):
            return text if name in INLINE_MAGICS else None
    return None


@lru_cache(maxsize=256)
def _translated(source: str) -> str:
    """Return the Python that IPython makes of a cell."""
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - half of `splot check`, mostly not needed

    ipython: Any = TransformerManager()
    lines = source.splitlines(keepends=True)
    try:
        for clean in ipython.cleanup_transforms:
            lines = clean(lines)
        for _ in range(MAX_ESCAPES):
            changed, lines = ipython.do_one_token_transform(lines)
            if not changed:
                return "".join(lines)
    except Exception:  # noqa: BLE001 - IPython cannot read it; then it cannot run it either
        return ""
    return ESCAPED.sub(r"\g<before>None", "".join(lines))
