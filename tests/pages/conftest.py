"""The pages over a real database, with people who ask for them.

Here a header names the person. ``test_browser.py`` tests in a browser that Airflow's own login
protects the pages, and that its permissions hold.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from starlette.requests import Request

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.local import free_port
from recfleet.pages import DAGS, LazyApp, Visitor
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants
from tests.pages.browser import PATIENCE_MS, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Door:
    """Airflow, as far as the pages need it."""

    secret = "only-for-these-tests"

    def __init__(self) -> None:
        self.started: list[tuple[str, Mapping[str, Any], str]] = []
        self.refuses = False

    async def visitor(self, request: Request) -> Visitor | None:
        """A visitor by name: ``admin`` may trigger all DAGs, ``modes`` one; ``nobody`` may not
        read."""
        name = request.headers.get("x-person")
        if name is None:
            return None
        triggers = {"admin": DAGS, "modes": ("tenant_mode",)}.get(name, ())
        return Visitor(name, name != "nobody", lambda dag_id: dag_id in triggers)

    def login_address(self, back_to: str) -> str:
        """Where to log in."""
        return f"/auth/login?next={back_to}"

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: Visitor) -> str:
        """Record the request."""
        if self.refuses:
            raise BadInputError(f"Airflow did not start {dag_id}: it is paused")
        self.started.append((dag_id, conf, by.name))
        return f"run-{len(self.started)}"


@pytest.fixture
def door() -> Door:
    """This test's door."""
    return Door()


class Browser:
    """A browser, of a person or without a login; it does not follow redirects."""

    def __init__(self, app: LazyApp, person: str | None) -> None:
        self._app = app
        self._headers = {"x-person": person} if person else {}

    def get(self, address: str, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Open a page."""
        # An empty mapping would remove the query of the address itself.
        return asyncio.run(self._send("GET", address, params=params or None))

    def post(
        self, address: str, data: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a form."""
        return asyncio.run(self._send("POST", address, data=data, headers=headers))

    async def _send(self, method: str, address: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        site = "http://pages"
        async with httpx.AsyncClient(
            transport=transport, base_url=site, headers=self._headers
        ) as client:
            return await client.request(method, address, **more)


Visit = Callable[..., Browser]


@pytest.fixture
def app(
    database_url: str,
    reader_url: str,
    door: Door,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[LazyApp]:
    """The pages over this test's database."""
    values = {
        "DATABASE_URL": database_url,
        "PAGES_DATABASE_URL": reader_url,
        "MLFLOW_URL": "http://127.0.0.1:5000",
        "HOME": str(tmp_path / "home"),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"RECFLEET_{name}", value)
    forget_settings()
    yield LazyApp(lambda: door)
    forget_settings()


@pytest.fixture
def shop(connection: Connection) -> str:
    """A tenant that has sold something."""
    add_tenants(connection, {"corner-shop": "Corner Shop"})
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into interaction values ('corner-shop', '2025-11-01', 1, 'c', 'p', 1, 1)"
        )
    connection.commit()
    return "corner-shop"


@pytest.fixture
def visit(app: LazyApp) -> Visit:
    """Makes a browser for a named person."""
    return lambda person="admin": Browser(app, person)


@pytest.fixture
def screen(app: LazyApp) -> Iterator[Page]:
    """A real browser's page, for a person with all permissions; its addresses are the pages'."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with chromium() as browser:
            context = browser.new_context(
                base_url=f"http://127.0.0.1:{port}", extra_http_headers={"x-person": "admin"}
            )
            context.set_default_timeout(PATIENCE_MS)
            yield context.new_page()
    finally:
        server.should_exit = True
        thread.join()
