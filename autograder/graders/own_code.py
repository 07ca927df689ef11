"""Read from the source which library convolutions a function can reach, through the helpers it calls.

What the probe saw at run time is a claim from the student's process; the source stands beside it.
"""

import ast
import re

from autograder.evidence.reader import Evidence
from autograder.notebook.syntax import parse_cell

LIBRARY = re.compile(
    r"^(conv[123]d|conv_transpose[123]d|conv_tbc|Conv[123]d|ConvTranspose[123]d|LazyConv\w*|convolution_overrideable"
    r"|convolve|convolve1d|convolve2d|correlate|correlate1d|correlate2d|fftconvolve|oaconvolve|ndimage)$"
)
OWN = {("np", "convolve"), ("np", "correlate"), ("numpy", "convolve"), ("numpy", "correlate")}


def library_convolutions(evidence: Evidence, function: str, reached: tuple[str, ...]) -> list[str]:
    """Return the library convolutions that `function` reached or names, sorted; none is what the task asks for."""
    definitions, aliases = _read(evidence.notebook.code)
    named = {
        name for node in _reachable(function, definitions) for name in _names(node, aliases) if LIBRARY.match(name)
    }
    return sorted(named | set(reached))


def _read(cells: list[str]) -> tuple[dict[str, ast.AST], dict[str, str]]:
    """Return the notebook's functions and classes by name, and what imported names were called at home."""
    definitions: dict[str, ast.AST] = {}
    aliases: dict[str, str] = {}
    for source in cells:
        module = parse_cell(source)
        for node in module.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                definitions[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda | ast.Name | ast.Attribute):
                definitions |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        for inner in ast.walk(module):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                aliases |= {a.asname or a.name: a.name.rpartition(".")[2] for a in inner.names}
    return definitions, aliases


def _reachable(function: str, definitions: dict[str, ast.AST]) -> list[ast.AST]:
    """Return the definitions that `function` can reach, itself first."""
    waiting, seen = [function], set[str]()
    nodes = []
    while waiting:
        name = waiting.pop()
        if name in seen or name not in definitions:
            continue
        seen.add(name)
        nodes.append(definitions[name])
        waiting += sorted(_global_names(definitions[name]))
    return nodes


def _global_names(node: ast.AST) -> set[str]:
    """Return the names a definition reads that are not its own variables."""
    names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    own = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    own |= {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    return {name.id for name in names} - own


def _names(node: ast.AST, aliases: dict[str, str]) -> set[str]:
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            owner = inner.value.id if isinstance(inner.value, ast.Name) else ""
            if (owner, inner.attr) not in OWN:
                names.add(inner.attr)
        elif isinstance(inner, ast.Name):
            names.add(aliases.get(inner.id, ""))
    return names
