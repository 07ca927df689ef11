"""An instructor's way through a submission, in a real browser: formgrader in JupyterLab and in Jupyter Notebook."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from autograder.engine.report import Report, read_report
from tests.browser import PATIENCE_MS, chromium, screenshot
from tests.engine.nbgrader_course import RICH, Course
from tests.jupyterlab import TOKEN, jupyterlab

ANSWER = "Najlepsza jest sieć bazowa, ale ma też najwięcej parametrów."
COMMENT = "Dobre wnioski, ale bez krzywych uczenia."
# formgrader scrolls to the field in use, slowly, and its navigation covers the top of its page.
UNDER_THE_BAR = """heading => {
    $("html, body").stop(true)
    heading.style.scrollMarginTop = "80px"
    heading.scrollIntoView()
}"""
ELSEWHERE = "https://**"  # where nbconvert's pages get MathJax from: all works without
WAITS = re.compile("needs_manual_grade")


@pytest.mark.soak  # a server, a browser, a sandboxed kernel that imports torch: half a minute and more
def test_an_instructor_grades_in_formgrader(tmp_path: Path) -> None:
    """Autograded in JupyterLab, marked in Jupyter Notebook: the total follows, and feedback has mark and comment."""
    course = Course.at(tmp_path / "course")
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write('c.Splot.profile = "quick"\n')  # one test is left undecided
    course.submit("anna", RICH | {"task4_comparison": ANSWER})
    with jupyterlab(course.root) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        page.route(ELSEWHERE, lambda route: route.abort())
        submissions = listed(formgrader(page, f"{address}lab"))
        press(submissions, "autograde")
        report = read_report(course.root / "graded" / "anna" / "cnn" / "report.json")
        assert report.sandbox == "bwrap"
        given = (report.score or 0.0) + (report.bonus or 0.0)
        assert total(submissions, "needs manual grading") == pytest.approx(given, abs=0.006)
        screenshot(page, "instructor-submissions")
        mark(page, formgrader(page, f"{address}tree"), report)
        submissions = listed(formgrader(page, f"{address}tree"))
        assert total(submissions, "graded") == pytest.approx(given + 1.25 + 2, abs=0.006)
        press(submissions, "generate-feedback")
        read_feedback(browser, course.root / "feedback" / "anna" / "cnn" / "cnn.html")


def formgrader(page: Page, address: str) -> FrameLocator:
    """Open formgrader by the menu of JupyterLab (`lab`) or Jupyter Notebook (`tree`), at the list of assignments."""
    page.goto(f"{address}?token={TOKEN}&reset")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Formgrader").click()
    return page.frame_locator("iframe")


def listed(frame: FrameLocator) -> FrameLocator:
    """Go on to the list of submissions."""
    frame.locator(".num-submissions").get_by_role("link", name="1").click()
    return frame


def press(frame: FrameLocator, button: str) -> None:
    """Press a submission's button; nbgrader says that all went well."""
    frame.locator(f".{button} a").click()
    dialog = frame.get_by_role("dialog")
    expect(dialog).to_contain_text("Success")
    dialog.get_by_role("button", name="OK").click()
    expect(frame.locator(".modal-backdrop")).to_have_count(0)


def total(frame: FrameLocator, status: str) -> float:
    """Return the one submission's points, which is in this state."""
    expect(frame.locator("td.status")).to_have_text(status)
    points, most = frame.locator("td.score").inner_text().split("/")
    assert float(most) == 20
    return float(points)


def mark(page: Page, frame: FrameLocator, report: Report) -> None:
    """Open the submission, read what the grader says, and decide what it left open."""
    frame.get_by_role("link", name="Manual Grading").click()
    for place in ("gradebook/cnn", "gradebook/cnn/cnn"):
        frame.locator(f"td a[href$='{place}']").click()
    frame.get_by_role("link", name="Submission #1").click()
    expect(frame.locator("#task4_comparison")).to_have_class(WAITS)
    said = words(frame.locator("body").inner_text())
    assert all(words(check.message) in said for cell in report.cells for check in cell.checks if not check.passed)
    undecided = frame.locator(".nbgrader_cell", has=frame.locator("#task3_accuracy_tests"))
    undecided.get_by_role("button", name="Full credit").click()
    expect(frame.locator("#task3_accuracy_tests")).not_to_have_class(WAITS)
    weigh(page, frame, report)


def weigh(page: Page, frame: FrameLocator, report: Report) -> None:
    """Mark the written comparison; its scheme and the measurements stand beside it, all on one screen."""
    points, comment = frame.locator("#task4_comparison"), frame.locator("#task4_comparison-comment")
    expect(comment).to_have_attribute("placeholder", re.compile("comments"))  # loaded: until then it would be emptied
    with page.expect_response("**/api/comment/*"):
        comment.fill(COMMENT)
        points.fill("1.25")
    points.blur()
    expect(points).not_to_have_class(WAITS)
    scheme = frame.get_by_role("heading", name="0–1,5")
    scheme.evaluate(UNDER_THE_BAR)
    row = (
        frame.get_by_role("row").filter(has=frame.get_by_text("deep", exact=True)).last
    )  # the answer before has one too
    expect(row).to_contain_text(f"{report.models['deep'].accuracy:.3f}".replace(".", ","))
    for seen in (scheme, row, frame.get_by_text(ANSWER), points):
        expect(seen).to_be_in_viewport()
    screenshot(page, "instructor-marking")


def words(text: str) -> str:
    """Return a text however its lines are broken."""
    return " ".join(text.split())


def read_feedback(browser: Browser, path: Path) -> None:
    """Open what the student will get."""
    page = browser.new_page()
    page.goto(path.as_uri())
    expect(page.get_by_text(COMMENT)).to_be_visible()
    expect(page.get_by_role("row", name="porównanie eksperymentów")).to_contain_text("1,25 / 1,5")
    expect(page.locator("body")).not_to_contain_text("tylko dla osoby prowadzącej")
