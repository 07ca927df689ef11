"""Finds, in the source, the library convolutions that a function uses, directly or through its helpers.

What the probe observed at run time is a claim from the student's process; the source is a second check. It is read as
of the test cell: overwritten definitions and helpers that nothing calls do not count.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from autograder.engine.notebook import parse_cell, plain_statements
from autograder.lesson.observations import LessonEvidence

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


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
            calls = (inner.func for inner in ast.walk(statement) if isinstance(inner, ast.Call))
            trains = any(isinstance(call, ast.Attribute) and call.attr == "backward" for call in calls)
            if isinstance(statement, Definition):
                named.pop(statement.name, None)
                if trains:
                    brackets = "" if isinstance(statement, ast.ClassDef) else "()"
                    named[statement.name] = f"{statement.name}{brackets} [{number}]"
            elif trains and source not in seen:
                loose.append(f"[{number}:{statement.lineno}]")
        seen.add(source)
    return [*named.values(), *loose]


ALL = re.compile("")
LIBRARY = {
    "torch": re.compile(r"[Cc]onv(?!ert)"),
    "torchvision": re.compile(r"[Cc]onv(?!ert)|gaussian_blur|GaussianBlur"),
    "scipy.signal": re.compile(r"^((fft|oa)?convolve|correlate(2d)?$|sepfir2d|_sigtools)"),
    "scipy.ndimage": ALL,
    "skimage.filters": ALL,
    "cv2": re.compile(r"^(filter2D|sepFilter2D|matchTemplate)"),
}
"""By package, the names that are convolutions. NumPy's have one dimension: they do not do the task."""
USUAL = {"F": "torch.nn.functional", "nn": "torch.nn", "torch": "torch"}
"""The assumed meaning of names that no cell binds."""
LONGEST = 20  # aliases of aliases


def library_convolutions(evidence: LessonEvidence, cell: str, function: str) -> set[str]:
    """Return the library convolutions, by full name, that `function` names in the source in force at a test cell."""
    names = _Names(USUAL)
    for _, executed in evidence.ran_before(cell):
        names.read(plain_statements(parse_cell(executed.text).body))
    return {path for body in _reachable(function, names) for path in body.paths() if is_library(path)}


def is_library(path: str) -> bool:
    """Whether a full name, "torch.nn.functional.conv2d", is that of a library convolution."""
    for package, pattern in LIBRARY.items():
        if path == package:
            return pattern is ALL
        if path.startswith(f"{package}."):
            return any(pattern.search(part) for part in path[len(package) + 1 :].split("."))
    return False


class _Names:
    """The global names after some statements: libraries' objects by full name, the notebook's own by definition."""

    def __init__(self, imports: dict[str, str]) -> None:
        self.imports = dict(imports)
        self.definitions: dict[str, ast.AST] = {}
        self.stars: list[str] = []

    def read(self, statements: Iterable[ast.stmt]) -> None:
        """Record the names that the statements bind; later bindings replace earlier ones."""
        for statement in statements:
            bound: dict[str, ast.AST] = {}
            if isinstance(statement, Definition):
                bound = {statement.name: statement}
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                bound = dict.fromkeys(_stored(targets), statement.value)
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            self.definitions |= bound
            for name in bound:
                self.imports.pop(name, None)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        package = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        for alias in statement.names:
            if alias.name == "*":
                self.stars.append(package)
                continue
            name = alias.asname or (alias.name if package else alias.name.partition(".")[0])
            self.definitions.pop(name, None)
            self.imports[name] = package + alias.name if alias.asname or package else name

    def paths(self, name: str, seen: int = 0) -> list[str]:
        """Return the full names that a global name may have; none where it is the notebook's own."""
        if name in self.imports:
            return [self.imports[name]]
        node = self.definitions.get(name)
        if node is None:
            return [star + name for star in self.stars]
        root, parts = _unchained(node)
        if root is None or seen > LONGEST:
            return []
        return [".".join([path, *parts]) for path in self.paths(root, seen + 1)]


class _Body:
    """A function, class or expression, and what the names in it mean."""

    def __init__(self, node: ast.AST, names: _Names) -> None:
        annotations = {id(part) for note in _annotations(node) for part in ast.walk(note)}
        self.nodes = [inner for inner in ast.walk(node) if id(inner) not in annotations]
        self.names = names
        self.own = _Names({})
        self.own.read(inner for inner in self.nodes if isinstance(inner, ast.stmt) and inner is not node)
        self.local = set(_stored(self.nodes)) | set(self.own.definitions) | set(self.own.imports)
        self.local |= {inner.arg for inner in self.nodes if isinstance(inner, ast.arg)}
        self.local -= {name for inner in self.nodes if isinstance(inner, ast.Global) for name in inner.names}

    def paths(self) -> Iterator[str]:
        """Yield the full names of what it reads from libraries."""
        within = {id(inner.value) for inner in self.nodes if isinstance(inner, ast.Attribute)}
        for inner in self.nodes:
            root, parts = _unchained(inner)
            if root is None or id(inner) in within:
                continue
            found = (self.own if root in self.local else self.names).paths(root)
            if not found and root in self.local and root in self.own.definitions:  # `f = F`, and then `f.conv2d`
                beyond, between = _unchained(self.own.definitions[root])
                if beyond is not None and beyond not in self.local:
                    found, parts = self.names.paths(beyond), between + parts
            for path in found:
                yield ".".join([path, *parts])


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the type annotations in a node; naming a library's type there is no use of it."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.arg | ast.AnnAssign) and inner.annotation is not None:
            yield inner.annotation
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.returns is not None:
            yield inner.returns


def _reachable(function: str, names: _Names) -> Iterator[_Body]:
    """Yield the definitions that `function` can reach, itself first."""
    waiting, seen = [function], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in names.definitions:
            seen.add(name)
            body = _Body(names.definitions[name], names)
            yield body
            waiting += sorted({inner.id for inner in body.nodes if isinstance(inner, ast.Name)} - body.local)


def _stored(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the variables that are assigned to, in tuples and lists too."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Store):
            yield from (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _unchained(node: ast.AST) -> tuple[str | None, list[str]]:
    """Split `a.b.c` into a and [b, c], and `getattr(a, "b")` likewise; the name is None for other expressions."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value, attribute):
                parts.append(attribute)
            case ast.Call(ast.Name("getattr"), [value, ast.Constant(str(attribute)), *_]):
                parts.append(attribute)
            case _:
                return None, []
        node = value
    return node.id, parts[::-1]
