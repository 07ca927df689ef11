"""Imports point one way: the house's plan in ARCHITECTURE.md, proved from the source."""

import ast
import re
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograder", "reference")
ROOMS = ("engine", "models", "lesson", "cli")
"""Each may import those before it, and nothing after it."""
IN_ENGINE = (
    {"errors", "text", "report", "inside"},
    {"files"},
    {"notebook", "sandbox"},
    {"evidence"},
    {"outcomes", "collecting"},
    {"part_tracker"},
    {"lesson"},
    {"judging"},
    {"pages", "lms"},
    {"grading"},
    {"nbgrader", "audit"},
)
OPEN = {"autograder", "autograder.engine", "autograder.lesson", "autograder.lesson.graders", "reference"}
"""Packages whose modules are doors themselves; the graders are plain pytest files."""
INSIDE = ("autograder.engine.inside", "autograder.models.capture", "autograder.lesson.recorders")
"""What goes into the sandbox, and what these may import of each other: each only those before it."""


def modules() -> dict[str, Path]:
    """Return the project's modules by dotted name."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(name: str, path: Path, *, names: bool = True) -> set[str]:
    """Return the modules of the project that one imports, anywhere in its text; with `names` those it imports from packages."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names if names} | {module}
    known = modules()
    return {module for module in found if module in known and module != name}


def packages(path: Path) -> set[str]:
    """Return the top-level packages that a module imports by their full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


def test_imports_form_a_dag() -> None:
    """No module imports itself through others."""
    graph = {name: {m for m in imports(name, path) if not name.startswith(f"{m}.")} for name, path in modules().items()}
    assert list(TopologicalSorter(graph).static_order())


def ours(name: str) -> set[str]:
    """Return what a module imports of `autograder`."""
    return {m for m in imports(name, modules()[name]) if m.startswith("autograder.") and m.count(".")}


@pytest.mark.parametrize("name", [name for name in modules() if name.split(".")[1:2] and name.split(".")[1] in ROOMS])
def test_rooms_import_one_way(name: str) -> None:
    """The engine knows no model and no lesson, models know no lesson."""
    allowed = {*ROOMS[: ROOMS.index(name.split(".")[1]) + 1]}
    assert {m for m in ours(name) if m.split(".")[1] not in allowed} == set()


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("autograder.engine.")])
def test_the_engine_is_built_in_layers(name: str) -> None:
    """Every import within the engine points to the same layer or a lower one, and none of it needs torch."""

    def layer(module: str) -> int:
        return next(number for number, parts in enumerate(IN_ENGINE) if module.split(".")[2] in parts)

    used = {m for m in ours(name) if m.startswith("autograder.engine.")}
    assert {m for m in used if layer(m) > layer(name)} == set()
    assert "torch" not in packages(modules()[name])


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("autograder.")])
def test_packages_are_entered_by_their_doors(name: str) -> None:
    """A module imports of another package only what that package's `__init__` names."""
    doors = {module for module, path in modules().items() if path.name == "__init__.py" and module not in OPEN}
    own = {name, *(name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1))}
    used = imports(name, modules()[name], names=False)
    assert {m for m in used if m.rpartition(".")[0] in doors - own and m not in doors} == set()


def test_reference_imports_nothing_of_the_autograder() -> None:
    """The reference stands alone."""
    used = {m for name, path in modules().items() if name.startswith("reference") for m in imports(name, path)}
    assert {m for m in used if m.startswith("autograder")} == set()


def test_only_the_lesson_imports_the_reference() -> None:
    """Nothing between notebook and evidence can carry an answer."""
    users = {name for name, path in modules().items() if any(m.startswith("reference") for m in imports(name, path))}
    rooms = {name.split(".")[1] for name in users if name.startswith("autograder.")}
    assert rooms == {"lesson", "cli"}


@pytest.mark.parametrize("package", INSIDE)
def test_what_runs_inside_imports_nothing_of_ours_beside_it(package: str) -> None:
    """The standard library, and torch where there is a model; of the project only each other, and relatively."""
    allowed = set(sys.stdlib_module_names) | (set() if package == INSIDE[0] else {"numpy", "torch"})
    before = INSIDE[: INSIDE.index(package) + 1]
    for name, path in modules().items():
        if f"{name}.".startswith(f"{package}."):
            assert packages(path) <= allowed, name
            used = {m for m in imports(name, path) if m.count(".") > 1}
            assert {m for m in used if not m.startswith(before)} == set(), name


def test_nothing_is_imported_from_a_test_module() -> None:
    """What tests share lies in modules named for what they are; code that a test hands to another process counts too."""
    imported = re.compile(r"^\s*(from|import) (tests\.)?([a-z_0-9]+\.)*test_", re.MULTILINE)
    assert [path for path in (ROOT / "tests").rglob("*.py") if imported.search(path.read_text())] == []


def test_what_is_imported_is_declared() -> None:
    """No package comes along by way of another's dependencies, which may drop it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["cluster"]
    names = {_normal(re.split("[<>=]", text)[0]) for text in declared}
    installed = packages_distributions()
    for name, path in modules().items():
        for package in packages(path) - set(sys.stdlib_module_names) - set(PACKAGES):
            assert {_normal(each) for each in installed[package]} & names, f"{name} imports {package}"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
