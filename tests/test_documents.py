"""What the documents name is there: files, and the functions and classes in them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
NAMED = re.compile(r"`([\w./]+\.(?:py|toml|ipynb))(?::([\w.]+))?`")


def file_of(path: str) -> Path | None:
    """Return the file of a path from the root or from `autograder/`; of a bare name, the only file of that name."""
    found = [place / path for place in (ROOT, ROOT / "autograder") if (place / path).is_file()]
    return next(iter([*found, *(ROOT / "autograder").rglob(path)]), None)


def defined(path: Path) -> set[str]:
    """Return the names that a module defines, methods as `Class.method`."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            members = node.body if isinstance(node, ast.ClassDef) else []
            names |= {f"{node.name}.{member.name}" for member in members if isinstance(member, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_exists(document: str) -> None:
    """Each file, and each name in it."""
    for path, name in NAMED.findall((ROOT / document).read_text("utf-8")):
        file = file_of(path)
        assert file is not None, path
        assert not name or name in defined(file), f"{path}:{name}"


def test_each_step_of_a_walk_is_called_by_an_earlier_one() -> None:
    """A walk begins where a user does; the name of every further step stands in the source of one before it."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## Three call paths")[1].split("\n## ")[0]
    walks = re.split(r"^\*\*", text, flags=re.MULTILINE)[1:]
    assert len(walks) == 3
    for walk in walks:
        steps = [(file, name) for path, name in NAMED.findall(walk) if (file := file_of(path)) is not None]
        sources = steps[0][0].read_text("utf-8")
        for file, name in steps:
            assert not name or name.split(".")[-1] in sources, f"nothing before it in the walk names {name}"
            sources += file.read_text("utf-8")
