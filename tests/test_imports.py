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
MAY_USE_REFERENCE = {
    "autograder.calibration.calibrate",
    "autograder.calibration.changed",
    "autograder.calibration.falls",
    "autograder.calibration.profiles",
    "autograder.calibration.thresholds",
    "autograder.cli.course",
    "autograder.doctor",
    "autograder.grading.stages",
    "autograder.measuring.measure",
    "autograder.measuring.measured",
    "autograder.notebook.choice",
    "autograder.pictures.comparisons",
    "autograder.pictures.networks",
}
LAYERS = (
    {"errors", "text", "report", "interruption"},
    {"files", "deletion", "release"},
    {"notebook", "calibration", "sandbox", "lift"},
    {"evidence", "doctor"},
    {"collecting", "explain"},
    {"measuring"},
    {"plugin", "publish", "graders", "export", "pictures"},
    {"judge"},
    {"grading"},
    {"proof", "course"},
    {"cli"},
)


def modules() -> dict[str, Path]:
    """Return the project's modules by dotted name."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(name: str, path: Path) -> set[str]:
    """Return the modules of the project that one imports, anywhere in its text."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
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


def layer(name: str) -> int:
    """Return the number of the layer that a module of `autograder` belongs to."""
    part = name.split(".")[1]
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def test_imports_form_a_dag() -> None:
    """No module imports itself through others."""
    graph = {name: {m for m in imports(name, path) if not name.startswith(f"{m}.")} for name, path in modules().items()}
    assert list(TopologicalSorter(graph).static_order())


def test_packages_form_a_dag() -> None:
    """No package of the autograder imports itself through others: each can be read with those below it alone."""
    graph: dict[str, set[str]] = {}
    for name, path in modules().items():
        if name.count(".") and name.startswith("autograder."):
            parts = {m.split(".")[1] for m in imports(name, path) if m.startswith("autograder.")}
            graph.setdefault(name.split(".")[1], set()).update(parts - {name.split(".")[1]})
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", [name for name in modules() if name.count(".") and name.startswith("autograder.")])
def test_a_module_imports_only_what_lies_below(name: str) -> None:
    """Every import of `autograder` points to the same layer or a lower one."""
    if name.startswith("autograder.probe."):
        return
    used = {m for m in imports(name, modules()[name]) if m.startswith("autograder.") and ".probe" not in m}
    assert {m for m in used if layer(m) > layer(name)} == set()


def test_reference_imports_nothing_of_the_autograder() -> None:
    """The reference stands alone."""
    used = {m for name, path in modules().items() if name.startswith("reference") for m in imports(name, path)}
    assert {m for m in used if m.startswith("autograder")} == set()


def test_only_graders_judge_and_data_import_the_reference() -> None:
    """Nothing between notebook and evidence can carry an answer."""
    users = {
        name
        for name, path in modules().items()
        if name.startswith("autograder") and any(m.startswith("reference") for m in imports(name, path))
    }
    assert {name for name in users if not name.startswith("autograder.graders.")} <= MAY_USE_REFERENCE


def test_the_probe_imports_standard_library_numpy_and_torch_only() -> None:
    """What is bound into the sandbox needs nothing of ours beside it."""
    allowed = set(sys.stdlib_module_names) | {"numpy", "torch"}
    for name, path in modules().items():
        if f"{name}.".startswith("autograder.probe."):
            assert packages(path) <= allowed, name


def test_what_is_imported_is_declared() -> None:
    """No package comes along by way of another's dependencies, which may drop it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {_normal(re.split("[<>=]", text)[0]) for text in declared}
    installed = packages_distributions()
    for name, path in modules().items():
        for package in packages(path) - set(sys.stdlib_module_names) - set(PACKAGES):
            assert {_normal(each) for each in installed[package]} & names, f"{name} imports {package}"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
