"""A real browser, and a real stack with real nights for it to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from recfleet.local import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

MAIN = "from recfleet.cli import main; main()"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """Chromium's executable: ``RECFLEET_CHROMIUM``, or what is on the path."""
    named = os.environ.get("RECFLEET_CHROMIUM")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; skips, and says how to have one, where there is none."""
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


@dataclass
class Stack:
    """The services of one test module, and the command line over them."""

    home: Path
    environment: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    """Of its ``stack.env``."""

    def run(self, *words: str) -> str:
        """Run ``recfleet``; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, done.stderr)  # shown by pytest when a test fails
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    @property
    def address(self) -> str:
        """Of Airflow's pages."""
        return self.variables["RECFLEET_AIRFLOW_URL"]

    def password(self, name: str) -> str:
        """Of one of Airflow's people."""
        import json

        passwords = json.loads(
            Path(self.variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()
        )
        return str(passwords[name])

    def execute(self, text: str) -> None:
        """Change something in recfleet's database."""
        self.query(f"with changed as ({text} returning 1) select count(*) from changed")

    def query(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of recfleet's database."""
        connection = psycopg2.connect(
            self.variables["RECFLEET_DATABASE_URL"], options="-c search_path=recfleet"
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return cursor.fetchall()
        finally:
            connection.close()


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Services of one's own, with which they end."""
    # Not below pytest's folder, which another user, such as Postgres's, may not pass.
    home = Path(tempfile.mkdtemp(prefix="recfleet-pages-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECFLEET_")
    }
    environment["RECFLEET_HOME"] = str(home)
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES"):
        environment[f"RECFLEET_{service}_PORT"] = str(free_port())
    stack = Stack(home, environment)
    try:
        stack.run("up")
        lines = (home / "stack.env").read_text().splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line)
        stack.variables = {name: value.strip("'") for name, _, value in pairs}
        yield stack
    finally:
        stack.run("down")
        shutil.rmtree(home, ignore_errors=True)


def log_in(context: BrowserContext, stack: Stack, name: str) -> Page:
    """Log a person in at Airflow's own page; returns the page that follows."""
    page = context.new_page()
    page.goto(stack.address)
    page.locator("input[name=username]").fill(name)
    page.locator("input[type=password]").fill(stack.password(name))
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"{stack.address}/")
    return page


def open_fleet(page: Page) -> FrameLocator:
    """Go to the Fleet from the navigation; returns the frame that it is in."""
    page.get_by_role("link", name="Fleet").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Fleet", exact=True).wait_for()
    return frame
