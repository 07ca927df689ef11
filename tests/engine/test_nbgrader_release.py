"""`nbgrader generate_assignment`, as typed or by formgrader's button, writes what `splot release` does."""

from pathlib import Path

import nbformat

from tests.engine.nbgrader_course import ROOT, Course

CANARY = "canary-c41d"


def test_what_is_private_is_not_released(tmp_path: Path) -> None:
    """`metadata.splot` of the notebook and `private` of a cell stay behind; what graders and pages need of a cell stays."""
    course = Course.at(tmp_path)
    source, release = (course.root / folder / "cnn" / "cnn.ipynb" for folder in ("source", "release"))
    assert release.read_bytes() == (ROOT / "release" / "cnn" / "cnn.ipynb").read_bytes()
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.splot["private"] = {"words": CANARY}
    titled = next(cell for cell in notebook.cells if cell.id == "task4_comparison")
    titled.metadata.splot["private"] = {"scheme": CANARY}
    bare = next(cell for cell in notebook.cells if "splot" not in cell.metadata)
    bare.metadata["splot"] = {"private": CANARY}
    nbformat.write(notebook, source)
    assert course.command("generate_assignment", "cnn", "--force").returncode == 0
    assert CANARY not in release.read_text("utf-8")
    released = nbformat.read(release, as_version=4)
    assert "splot" not in released.metadata
    kept = {cell.id: cell.metadata.get("splot") for cell in released.cells}
    assert kept[titled.id] == {"title": titled.metadata.splot.title}
    assert kept[bare.id] is None
