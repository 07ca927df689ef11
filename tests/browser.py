"""A real browser for tests: Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
PATIENCE_MS = 120_000  # for a busy machine; on a free one the longest wait is about ten seconds

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; where Debian's package is missing, skip the test with what to install.

    Within the block the thread has an event loop: `asyncio.run` refuses, so nothing that needs it belongs there.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to start as root; the pages shown are ours.
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Keep one Chromium for all tests of a module."""
    with chromium() as browser:
        yield browser


def screenshot(page: Page, name: str) -> None:
    """Keep a page's look for the guides: `SPLOT_SCREENSHOTS=1 make soak` renews docs/screenshots/."""
    if os.environ.get("SPLOT_SCREENSHOTS"):
        page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", caret="hide")
