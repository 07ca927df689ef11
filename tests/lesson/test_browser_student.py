"""A student's way through the assignment, in a real browser: JupyterLab, nbgrader's Validate, Chromium."""

import shutil
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.submission import read_submission
from autograder.engine.report import Profile
from autograder.lesson.datasets import data_folder
from tests.browser import PATIENCE_MS, chromium, screenshot
from tests.jupyterlab import TOKEN, jupyterlab
from tests.submissions.build import RELEASE
from tests.submissions.convolutions import LOOPS

SOLUTION = LOOPS.strip()


@pytest.mark.soak  # a server, a browser and two kernels that import torch: half a minute and more
def test_a_student_solves_task_1_in_jupyterlab(tmp_path: Path) -> None:
    """Opened, solved, run, saved, validated: the tests of Task 1 pass, Validate names what is left, the file is whole."""
    home = tmp_path / "student"
    shutil.copytree(data_folder(Profile.QUICK), home / "data")
    notebook = Path(shutil.copy(RELEASE, home))
    with jupyterlab(home) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}lab/tree/{notebook.name}?token={TOKEN}")
        solve(page)
        expect(page.get_by_text("zaliczony (PyTorch)").last).to_contain_text("PRZYPADEK 3")
        screenshot(page, "student-tests")
        page.keyboard.press("ControlOrMeta+S")
        expect(page.locator(".jp-mod-dirty")).to_have_count(0)
        results = validated(page)
    failed = {task for task in ("convolution", "matrix") if source(f"task1_{task}_tests") in results}
    assert failed == set()  # the untouched bonus is left out, not failed
    assert all(source(f"{task}_tests") in results for task in ("task2_case_1", "task4_single_loop"))
    written = {cell.grade_id: cell.source for cell in read_submission(notebook, load_assignment()).cells}
    assert written["task1_convolution"] == SOLUTION


def cells() -> list[nbformat.NotebookNode]:
    """Return the cells of the release."""
    return list(nbformat.read(RELEASE, as_version=4).cells)


def source(grade_id: str) -> str:
    """Return a released cell's text."""
    return str(next(cell.source for cell in cells() if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id))


def solve(page: Page) -> None:
    """Run the cells down to Task 1, type a solution in place of the stub, run it and its tests."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    sources = [cell.source for cell in cells()]
    stub, tests = (sources.index(source(f"task1_convolution{part}")) for part in ("", "_tests"))
    for step in range(tests + 1):
        expect(page.get_by_text(f"Cell {step + 1}/{len(sources)}")).to_be_visible()
        if step == stub:
            page.keyboard.press("Enter")
            page.keyboard.press("ControlOrMeta+A")
            page.keyboard.insert_text(SOLUTION)
        page.keyboard.press("Shift+Enter")


def validated(page: Page) -> str:
    """Click Validate and return what nbgrader's dialog says."""
    page.get_by_role("button", name="Validate").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Validation Results")
    screenshot(page, "student-validate")
    return dialog.inner_text()
