"""A real browser, for a real stack with real nights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.stacks import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

PATIENCE_MS = 120_000
"""How long a page may take on a busy machine."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """Chromium's executable: from ``RECFLEET_CHROMIUM``, or on the path."""
    named = os.environ.get("RECFLEET_CHROMIUM")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; without one, it skips the test and says how to get one."""
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    if executable is None:
        pytest.skip(
            "NO BROWSER: the pages are not tested. Install Chromium (on Debian `apt-get install "
            "chromium`) or name one in RECFLEET_CHROMIUM."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def log_in(context: BrowserContext, stack: Stack, name: str) -> Page:
    """Log a person in on Airflow's own page; returns the page that follows."""
    page = context.new_page()
    page.goto(stack.address)
    page.locator("input[name=username]").fill(name)
    page.locator("input[type=password]").fill(stack.password(name))
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"{stack.address}/")
    return page


def open_fleet(page: Page) -> FrameLocator:
    """Open the Fleet page from the navigation; returns its frame."""
    page.get_by_role("link", name="Fleet").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Fleet", exact=True).wait_for()
    return frame
