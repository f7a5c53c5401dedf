"""The service's pages in a real browser, over a real process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from recfleet.database import connect, read_row, transaction
from recfleet.keys import create_key
from recfleet.local import PostgresServer, free_port
from tests.pages.browser import chromium
from tests.roles import make_database, url_of
from tests.serving.conftest import World
from tests.serving.test_process import start, wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.timeout(300)]

PAGES = ("counter", "new", "developers")
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def shop(postgres_server: PostgresServer, _filled: World) -> Iterator[World]:
    """A world with a key for the counter, whose pages may change it."""
    make_database(postgres_server, "counter", "served")
    world = World(
        url_of(postgres_server, "recfleet_writer", "counter"),
        url_of(postgres_server, "recfleet_api", "counter"),
        _filled.artifacts,
        dict(_filled.keys),
    )
    with closing(connect(world.writer)) as connection:
        with transaction(connection):
            connection.cursor().execute(
                "update product set name = '<b>Pan & lid</b>' where product_id = 'p3'; "
                "insert into customer (tenant_id, customer_id, name) "
                "values ('acme', 'c1', 'Mara Vega'), ('beta', 'c1', 'A secret of beta'); "
                "insert into product (tenant_id, product_id, name, category) select 'acme', "
                "'p00' || to_char(n, 'FM00'), 'Glass ' || n, 'glass' from generate_series(0, 38) n"
            )
        world.keys["till"] = create_key(
            connection,
            "acme",
            scopes=["read", "events"],
            name="till",
            expires_at=None,
            actor="tests",
            reason="tests",
        )
    yield world
    postgres_server.drop_database("counter")


@pytest.fixture(scope="module")
def address(shop: World) -> Iterator[str]:
    port = free_port()
    process = start(
        port, RECFLEET_API_DATABASE_URL=shop.api, RECFLEET_ARTIFACT_ROOT=shop.artifacts.root
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, trust_env=False) as client:
            wait_until_ready(client)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=LAPTOP)
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def _sign_in(page: Page, address: str, path: str, key: str) -> None:
    page.goto(f"{address}/{path}")
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def _names(page: Page) -> list[str]:
    """What stands at each place: name, kind, category and product."""
    return page.locator("#places h3").all_inner_texts()


def _events(world: World) -> list[Any]:
    with closing(connect(world.writer)) as connection:
        row = read_row(
            connection,
            "select array_agg(array[kind, product_id, customer_id, position::text] "
            "order by received_at) as them from event where answer_id is not null",
        )
    return (row and row["them"]) or []


def test_at_the_counter(page: Page, address: str, shop: World) -> None:
    page.goto(address)
    assert page.url == f"{address}/counter"
    page.get_by_label("Your key").fill(shop.keys["till"][:-1])
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="mistyped").wait_for()
    page.get_by_label("Your key").fill(shop.keys["till"])
    page.keyboard.press("Enter")
    page.get_by_text("Acme", exact=True).wait_for()
    assert page.get_by_role("alert").count() == 0

    # By the keyboard alone: the field for the customer has the focus.
    page.locator("#customers option[value=c1]").wait_for(state="attached")
    page.keyboard.type("mara vega")
    page.locator("#customers option").nth(1).wait_for(state="detached")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Mara Vega (c1)").wait_for()
    assert _names(page) == [
        "Pen new desk · p1",
        "Blotter again desk · a/b",
        "<b>Pan & lid</b> new kitchen · p3",
    ]
    page.get_by_role("button", name="Offered: Pen").click()
    page.get_by_role("button", name="Accepted: Pen").press("Enter")
    page.get_by_role("button", name="Declined: <b>Pan & lid</b>").click()
    page.locator("#places li.declined").wait_for()
    assert _events(shop) == [
        ["shown", "p1", "c1", "1"],
        ["accepted", "p1", "c1", "1"],
        ["rejected", "p3", "c1", "3"],
    ]
    page.get_by_label("Again").check(force=True)
    page.locator("#places li").nth(1).wait_for(state="detached")
    assert _names(page) == ["Blotter again desk · a/b"]

    # What they say they have changes the list at once.
    page.get_by_role("combobox", name="Product").press_sequentially("glass 1")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Take away Glass 1")).wait_for()
    page.locator("#places li").nth(3).wait_for()
    assert all(" new glass" in name for name in _names(page))
    page.reload()
    page.get_by_role("button", name="Show the list").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Your key").wait_for()


def test_whoever_may_only_read_is_told_so(page: Page, address: str, shop: World) -> None:
    _sign_in(page, address, "counter", shop.keys["acme"])
    page.get_by_role("combobox", name="Customer").fill("nobody")
    page.keyboard.press("Enter")
    page.get_by_text("do not know this customer").wait_for()
    page.get_by_text("This key cannot keep what came of it").wait_for()
    assert page.get_by_role("button", name=re.compile("Offered")).count() == 0


def test_trouble_is_said_and_nothing_is_lost(page: Page, address: str, shop: World) -> None:
    _sign_in(page, address, "counter", shop.keys["till"])
    page.get_by_role("combobox", name="Customer").fill("🛒 ü")
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Offered: p2")
    page.route("**/events", lambda route: route.abort())
    button.click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    assert button.get_attribute("aria-pressed") == "false"
    page.unroute("**/events")
    button.click()
    page.locator("button[aria-pressed=true]").wait_for()
    assert page.get_by_role("alert").count() == 0


def test_new_here(page: Page, address: str, shop: World) -> None:
    _sign_in(page, address, "new", shop.keys["acme"])
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    for label, text in (("First product", "Glass 3"), ("Second product", "Glass 7")):
        page.get_by_role("combobox", name=label).press_sequentially(text)
        page.get_by_role("option", name=text).first.click()
    page.get_by_role("heading", name="What follows Glass 3 and Glass 7").wait_for()
    page.locator("#places li").nth(3).wait_for()
    page.get_by_role("button", name="Take away Glass 3").click()
    page.get_by_role("heading", name="What follows Glass 7").wait_for()
    assert loads == []


def test_developers_find_lines_for_their_tenant(
    context: BrowserContext, page: Page, address: str, shop: World
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    _sign_in(page, address, "counter", shop.keys["till"])
    page.get_by_role("link", name="Developers").click()
    operation = page.locator("section", has=page.locator("#basket"))
    operation.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"{address}/v1/tenants/acme/recommendations" in copied
    assert shop.keys["till"][:20] not in page.content()
    document = httpx.get(f"{address}/openapi.json", trust_env=False).json()
    operations = sum(len(methods) for methods in document["paths"].values())
    assert page.locator("section.operation").count() == operations


@pytest.mark.parametrize(
    ("theme", "size"), [("light", LAPTOP), ("dark", PHONE)], ids=["light laptop", "dark phone"]
)
def test_pages_pass_axe_and_fit(
    page: Page, address: str, shop: World, theme: str, size: ViewportSize
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size(size)
    page.goto(address)
    page.evaluate("(theme) => localStorage.setItem('theme', theme)", theme)
    _sign_in(page, address, "counter", shop.keys["till"])
    for path in PAGES:
        page.goto(f"{address}/{path}")
        if path == "counter":
            page.get_by_role("combobox", name="Customer").fill("c1")
            page.keyboard.press("Enter")
            page.locator("#places li").first.wait_for()
        elif path == "new":
            page.locator("#popular button").first.click()
            page.locator("#places li, #none:not([hidden])").first.wait_for()
        else:
            page.locator("section.operation").first.wait_for()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), path
        violations = Axe().run(page).response["violations"]
        assert [(found["id"], found["nodes"][0]["html"][:200]) for found in violations] == [], path
        if shots := os.environ.get("RECFLEET_SCREENSHOTS_IN"):
            page.screenshot(
                path=Path(shots) / f"{path}-{theme}-{size['width']}.png", full_page=True
            )
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert said == []
