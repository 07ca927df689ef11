"""Both pages in a real browser: no accessibility violation, nothing run or loaded, room enough on a phone and in print."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.pages.classpage import write_class_page
from autograder.engine.pages.feedback import write_feedback
from autograder.engine.report import Outcome
from autograder.engine.text import Lang
from tests.browser import browser as browser  # noqa: PLC0414 - a fixture
from tests.browser import screenshot
from tests.engine.graded_pages import findings_saying, graded, leave, opened, report_saying, violations
from tests.engine.reports import REPORT

HOSTILE = "\"'><img src=http://example.com/x onerror=alert(1)><script>alert(2)</script>\u202e" + "W" * 300
LOOKS: dict[str, Any] = {
    "desktop": {"viewport": {"width": 1200, "height": 900}},
    "phone, dark": {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"},
    "printed from a dark screen": {"media": "print", "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a real submission, of a hostile one, of one that is not graded, and of the class they make."""
    root = tmp_path_factory.mktemp("graded")
    real = graded(root, Lang.PL)
    hostile = leave(root / "mallory" / "cnn", report_saying(HOSTILE), findings_saying(HOSTILE))
    ungraded = msgspec.structs.replace(REPORT, student="jan", status=Outcome.UNGRADED, reason=HOSTILE, cells=())
    broken = leave(root / "jan" / "cnn", ungraded)

    found = {
        name: write_feedback(folder, load_assignment(), lang)
        for name, folder, lang in (
            ("feedback", real, Lang.PL),
            ("hostile", hostile, Lang.EN),
            ("ungraded", broken, Lang.PL),
        )
    }
    return found | {"class": write_class_page(root, load_assignment(), Lang.PL)[0]}


IN_GUIDES = {"feedback", "class"}
NAMES = ("feedback", "hostile", "ungraded", "class")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_violation(name: str, look: str, pages: dict[str, Path], browser: Browser) -> None:
    """Every rule of axe-core, contrast among them: in light, in dark, and on paper."""
    assert violations(browser, pages[name], **LOOKS[look]) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_and_nothing_is_loaded(name: str, pages: dict[str, Path], browser: Browser) -> None:
    """No dialog, no message, no request beyond the page; what a student wrote makes no element."""
    with opened(browser, pages[name]) as (page, seen):
        assert seen == []
        assert (
            page.locator("script, iframe, object, [onerror], [onload], img:not([src^='data:image/png'])").count() == 0
        )
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_no_page_is_wider_than_its_screen(name: str, width: int, pages: dict[str, Path], browser: Browser) -> None:
    """Down to 320 pixels (WCAG 2.2, 1.4.10); only tables scroll within themselves."""
    with opened(browser, pages[name], viewport={"width": width, "height": 700}) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if name in IN_GUIDES and width > 320:
            screenshot(page, f"{name}-{'phone' if width < 400 else 'desktop'}")


def test_printed_it_is_dark_on_white_and_whole(pages: dict[str, Path], browser: Browser) -> None:
    """Also where the reader's screen is dark; nothing is cut off at the right, and no table is left to scroll."""
    with opened(browser, pages["feedback"], viewport={"width": 720, "height": 1000}, color_scheme="dark") as (page, _):
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert page.evaluate("document.documentElement.scrollWidth") <= 720
        assert (
            page.locator(".card").first.evaluate("card => getComputedStyle(card).backgroundColor")
            == "rgb(255, 255, 255)"
        )


def test_the_class_page_leads_to_the_students(pages: dict[str, Path], browser: Browser) -> None:
    """A name is a link to that student's page, where there is one."""
    with opened(browser, pages["class"]) as (page, _):
        assert page.get_by_role("link", name="jan").first.get_attribute("href") == "./jan/cnn/feedback.html"
        page.get_by_role("link", name="ania").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "ania"
