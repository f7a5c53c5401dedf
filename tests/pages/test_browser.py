"""The pages in a real browser, over a real Airflow with data from real nights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages.browser import PATIENCE_MS, chromium, log_in, open_fleet
from tests.stacks import Stack

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        FrameLocator,
        Page,
        ViewportSize,
    )

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.browser,
    pytest.mark.mlflow,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
EAGER = (
    "approval=every", "confidence=0.51", "pooled_confidence=0.51", "minimum_gain=0",
    "cooldown_days=0", "cooldown_gain=0",
)  # fmt: skip
"""A policy that promotes many challengers, if a person approves."""
NOT_FOR_LOOKING = ("/users/current", "/assistant/config", "/assistant/providers")
"""MLflow's pages ask for these as well and do without: they belong to other features of MLflow."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def stack(browser: Browser, after_first_night: Stack) -> Stack:
    """After a second night, which leaves promotions to a person and has a bad feed."""
    stack = after_first_night
    stack("seed", "--until", "2025-12-28")
    # A feed that lost its prices: since then every amount is zero.
    stack.query(
        "update interaction set amount = 0 where occurred_at >= '2025-12-21' and tenant_id = "
        "(select tenant_id from champion order by tenant_id limit 1)"
    )
    stack("tenant", "set", "--where", "served_by=model", *EAGER, "--reason", "to see")
    stack("night", "run", "--as-of", "2025-12-28", "--wait")
    return stack


@pytest.fixture(scope="module")
def as_admin(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    yield from _logged_in(browser, stack, "admin")


@pytest.fixture(scope="module")
def as_viewer(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    yield from _logged_in(browser, stack, "viewer")


def _logged_in(browser: Browser, stack: Stack, name: str) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=LAPTOP, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    log_in(context, stack, name).close()
    yield context
    context.close()


@pytest.fixture
def ui(as_admin: BrowserContext, stack: Stack) -> Iterator[Page]:
    """Airflow's own home page, for a person with all permissions."""
    page = as_admin.new_page()
    page.goto(stack.address)
    yield page
    page.close()


def one(stack: Stack, text: str, *parameters: object) -> str:
    """The first value of a query that has one."""
    return str(stack.query(text, *parameters)[0][0])


def name_of(stack: Stack, tenant_id: str) -> str:
    return one(stack, "select name from tenant where tenant_id = %s", tenant_id)


def answer(frame: FrameLocator, button: str, reason: str) -> None:
    """Press a button, give the requested reason, and confirm."""
    frame.get_by_role("button", name=button, exact=True).click()
    dialog = frame.locator("dialog[open]")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=button, exact=True).click()


def lists(stack: Stack, tenant_id: str) -> list[tuple[object, ...]]:
    """Every live list of a tenant."""
    return stack.query(
        "select customer_id, rank, product_id, model_version from live_recommendation "
        "where tenant_id = %s order by 1, 2",
        tenant_id,
    )


@pytest.mark.skipif(
    os.environ.get("RECFLEET_SCREENSHOTS") != "1", reason="RECFLEET_SCREENSHOTS=1 takes them"
)
def test_screenshots_for_the_readme(ui: Page, stack: Stack) -> None:
    """It comes first, while everything is as the nights left it."""
    tenant_id = one(stack, "select tenant_id from approval where status = 'waiting' limit 1")
    ui.set_viewport_size({"width": 1280, "height": 1000})
    IMAGES.mkdir(exist_ok=True)
    for name, path in (("fleet", "fleet"), ("tenant", f"tenants/{tenant_id}")):
        ui.goto(f"{stack.address}/plugin/fleet/recfleet/{path}")
        ui.frame_locator("iframe").locator(".uplot").first.wait_for()
        ui.wait_for_load_state("networkidle")
        ui.screenshot(path=IMAGES / f"{name}.png")


def test_who_needs_a_person_is_on_the_first_page_with_the_lines_that_are_the_cause(
    ui: Page, stack: Stack
) -> None:
    tenant_id, reason = stack.query(
        "select tenant_id, reason from ledger join night using (night_id) "
        "where as_of = '2025-12-28' and outcome = 'quarantined'"
    )[0]
    frame = open_fleet(ui)
    needs = frame.locator("section", has=frame.get_by_role("heading", name="Needs a person"))
    first = needs.get_by_role("listitem").filter(has_text=reason)
    first.get_by_role("link", name=name_of(stack, tenant_id)).click()
    quality = frame.locator("section", has=frame.get_by_role("heading", name="Data quality"))
    failing = quality.locator("article").first
    failing.get_by_text("critical").wait_for()
    failing.get_by_text("failing lines").click()
    assert failing.get_by_role("row").count() > 1
    # Its last good lists stay.
    customer = one(
        stack, "select customer_id from live_recommendation where tenant_id = %s limit 1", tenant_id
    )
    frame.get_by_label("Customer's id").fill(customer)
    frame.get_by_role("button", name="Look up").click()
    listing = frame.locator("table.narrow tbody tr td:nth-child(3)")
    listing.first.wait_for()
    names = stack.query(
        "select coalesce(name, '') from live_recommendation left join product "
        "using (tenant_id, product_id) where tenant_id = %s and customer_id = %s order by rank",
        tenant_id,
        customer,
    )
    assert listing.all_inner_texts() == [name for (name,) in names]


def test_a_tenant_is_found_two_clicks_from_the_navigation_and_frozen(
    ui: Page, stack: Stack
) -> None:
    tenant_id = one(
        stack,
        "select tenant_id from tenant where not exists (select from audit where "
        "audit.tenant_id = tenant.tenant_id and actor = 'admin') order by 1 desc limit 1",
    )
    frame = open_fleet(ui)
    frame.get_by_label("Search").fill(tenant_id)
    frame.get_by_role("button", name="Show", exact=True).click()
    frame.get_by_text("1 tenant of 12").wait_for()
    frame.locator("table.tenants").get_by_role("link", name=name_of(stack, tenant_id)).click()
    frame.get_by_role("heading", level=1, name=name_of(stack, tenant_id)).wait_for()
    # The address of the surrounding page leads here, so that it can be sent to others.
    assert ui.url.endswith(f"/recfleet/tenants/{tenant_id}")

    answer(frame, "Freeze", "its <b>feed</b> broke")

    frame.get_by_role("status").filter(has_text="is frozen").wait_for()
    history = frame.locator("section", has=frame.get_by_role("heading", name="History"))
    history.get_by_role("cell", name="its <b>feed</b> broke").wait_for()
    history.get_by_role("cell", name="admin").wait_for()
    assert stack.query("select mode from tenant where tenant_id = %s", tenant_id) == [("frozen",)]
    assert stack.query(
        "select kind, actor, reason, facts ->> 'to' from audit where tenant_id = %s "
        "order by audit_id desc limit 1",
        tenant_id,
    ) == [("mode", "admin", "its <b>feed</b> broke", "frozen")]
    ui.reload()
    frame.get_by_role("button", name="Thaw").wait_for()
    # The navigation's entry leads back from any page within it.
    open_fleet(ui)


def test_a_promotion_is_approved_and_rolled_back_and_the_lists_change(
    ui: Page, stack: Stack
) -> None:
    tenant_id, version = stack.query(
        "select tenant_id, version from approval where status = 'waiting' and against is not null "
        "order by tenant_id limit 1"
    )[0]
    name = name_of(stack, tenant_id)
    before = lists(stack, tenant_id)
    frame = open_fleet(ui)
    frame.get_by_role("link", name="Approvals").click()
    frame.get_by_role("heading", name="Waiting").wait_for()
    assert frame.get_by_role("button", name="Answer…").is_disabled()
    frame.get_by_label(f"The change of {name}").check()
    frame.get_by_role("button", name="Answer…").click()
    dialog = frame.locator("dialog[open]")
    dialog.get_by_label("Reason").fill("the numbers are good")
    dialog.get_by_role("button", name="Approve").click()
    frame.get_by_role("status").filter(has_text="1 change approved").wait_for(
        timeout=2 * PATIENCE_MS
    )
    assert stack.query(
        "select version from champion where tenant_id = %s and role = 'champion'", tenant_id
    ) == [(version,)]
    approved = lists(stack, tenant_id)
    assert approved != before
    assert {row[3] for row in approved} == {version}

    frame.get_by_role("row", name="the numbers are good").get_by_role("link", name=name).click()
    frame.get_by_role("heading", level=1, name=name).wait_for()
    answer(frame, "Roll back", "sales dropped")
    frame.get_by_role("status").filter(has_text="is in force instead of").wait_for(
        timeout=2 * PATIENCE_MS
    )
    assert {row[3] for row in lists(stack, tenant_id)} == {row[3] for row in before}
    assert lists(stack, tenant_id) == before
    found = stack.query(
        "select kind, actor, reason from audit where tenant_id = %s order by audit_id", tenant_id
    )
    assert ("rollback", "admin", "sales dropped") in found
    assert "admin" in {actor for kind, actor, _ in found if kind == "approved"}
    frame.get_by_role("cell", name="sales dropped", exact=True).first.wait_for()


def test_a_backfill_is_started_in_the_persons_name(ui: Page, stack: Stack) -> None:
    tenant_id = one(
        stack, "select tenant_id from champion where role = 'champion' order by 1 limit 1"
    )
    frame = open_fleet(ui)
    frame.locator("table.tenants").get_by_role("link", name=name_of(stack, tenant_id)).click()
    frame.get_by_role("button", name="Backfill").click()
    dialog = frame.locator("dialog[open]")
    dialog.get_by_label("From", exact=True).fill("2025-12-21")
    dialog.get_by_label("To", exact=True).fill("2025-12-21")
    dialog.get_by_label("Reason").fill("a late file")
    dialog.get_by_role("button", name="Backfill").click()
    frame.get_by_role("status").filter(has_text="Airflow is running").wait_for()
    run = ui.request.get(f"{stack.address}/api/v2/dags/tenant_backfill/dagRuns").json()
    [found] = run["dag_runs"]
    assert found["triggering_user_name"] == "admin"
    assert found["conf"]["tenants"] == [tenant_id]
    assert found["conf"]["reason"] == "a late file"


def test_a_reader_has_no_buttons_and_is_refused(as_viewer: BrowserContext, stack: Stack) -> None:
    page = as_viewer.new_page()
    page.goto(stack.address)
    frame = open_fleet(page)
    tenant_id = one(stack, "select tenant_id from tenant where mode = 'on' order by 1 limit 1")
    frame.locator("table.tenants").get_by_role("link", name=name_of(stack, tenant_id)).click()
    frame.get_by_role("heading", level=1, name=name_of(stack, tenant_id)).wait_for()
    for label in ("Freeze", "Switch off", "Roll back", "Backfill"):
        assert frame.get_by_role("button", name=label).count() == 0
    frame.get_by_role("link", name="Approvals").click()
    frame.get_by_role("heading", name="Waiting").wait_for()
    assert frame.get_by_role("button").count() == 0
    # The reader's own browser, from a page of the same origin, with the reader's own cookie.
    page.goto(f"{stack.address}/recfleet/tenants/{tenant_id}")
    for path in (f"/tenants/{tenant_id}/mode", f"/tenants/{tenant_id}/rollback", "/approvals"):
        status = page.evaluate(
            "async (path) => (await fetch(path, {method: 'POST', body: new URLSearchParams({mode: "
            "'off', answer: 'approve', requests: 1, reason: 'because', token: 'x'})})).status",
            f"/recfleet{path}",
        )
        assert status == 403
    assert stack.query("select mode from tenant where tenant_id = %s", tenant_id) == [("on",)]
    page.close()


def test_without_login_there_is_nothing(browser: Browser, stack: Stack) -> None:
    context = browser.new_context()
    page = context.new_page()
    name = name_of(stack, one(stack, "select tenant_id from tenant order by 1 limit 1"))
    for path in ("fleet", "nights", "approvals", "nights/1"):
        page.goto(f"{stack.address}/recfleet/{path}")
        assert "/auth/login" in page.url
        assert name not in page.content()
    sent = context.request.post(
        f"{stack.address}/recfleet/approvals", form={"answer": "approve", "requests": "1"}
    )
    assert sent.status == 401
    context.close()


def _mlflow_shows(browser: Browser | None, stack: Stack, address: str, text: str) -> None:
    """MLflow's page shows a text to a person with MLflow's login, and nothing of it is refused."""
    assert browser is not None
    username, password = stack.setting("MLFLOW_USERNAME"), stack.setting("MLFLOW_PASSWORD")
    context = browser.new_context(http_credentials={"username": username, "password": password})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    refused: list[str] = []
    page.on("response", lambda it: refused.append(it.url) if it.status in (401, 403) else None)
    page.goto(address)
    page.get_by_text(text).first.wait_for()
    page.wait_for_load_state("load")
    context.close()
    assert [url for url in refused if not url.endswith(NOT_FOR_LOOKING)] == []


def test_ways_out_lead_to_airflow_and_mlflow(
    ui: Page, as_admin: BrowserContext, stack: Stack
) -> None:
    tenant_id, version = stack.query(
        "select tenant_id, version from champion where role = 'champion' order by 1 limit 1"
    )[0]
    frame = open_fleet(ui)
    frame.locator("table.tenants").get_by_role("link", name=name_of(stack, tenant_id)).click()
    models = frame.locator("section", has=frame.get_by_role("heading", name="Models"))
    shown = models.get_by_role("link", name=f"version {version}").first
    with as_admin.expect_page() as opened:
        shown.click()
    opened.value.close()  # It asks for MLflow's own login.
    address = shown.get_attribute("href")
    assert address is not None
    _mlflow_shows(as_admin.browser, stack, address, f"als-{tenant_id}")
    frame.get_by_role("link", name="log of shard").click()
    ui.wait_for_url("**/dags/nightly_fleet/runs/**/tasks/publish/mapped/**")
    ui.get_by_text("shard ").first.wait_for()


@pytest.fixture
def pages(as_admin: BrowserContext, stack: Stack) -> Iterator[tuple[Page, list[str]]]:
    """A new page, and the addresses of recfleet's pages."""
    tenants = stack.query("select tenant_id from champion where role = 'champion' limit 1")
    failing = stack.query("select tenant_id from quality_result where not success limit 1")
    named = [f"tenants/{tenant_id}" for (tenant_id,) in [*tenants, *failing]]
    night = one(stack, "select max(night_id) from night where kind = 'fleet'")
    paths = ["fleet", *named, "nights", f"nights/{night}", "approvals", "tenants/nobody"]
    page = as_admin.new_page()
    yield page, [f"{stack.address}/recfleet/{path}" for path in paths]
    page.close()


@pytest.mark.parametrize(
    ("theme", "size"), [("light", LAPTOP), ("dark", PHONE)], ids=["light laptop", "dark phone"]
)
def test_pages_pass_axe_and_fit(
    pages: tuple[Page, list[str]], theme: str, size: ViewportSize
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, addresses = pages
    page.set_viewport_size(size)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for address in addresses:
        page.goto(address)
        page.evaluate("(theme) => localStorage.setItem('theme', theme)", theme)
        page.reload()
        page.evaluate(
            "document.querySelectorAll('details').forEach((details) => { details.open = true; })"
        )
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), address
        violations = Axe().run(page).response["violations"]
        grave = [
            (found["id"], found["nodes"][0]["html"][:200])
            for found in violations
            if found["impact"] in ("serious", "critical")
        ]
        assert grave == [], address
    page.evaluate("localStorage.removeItem('theme')")
    origin = addresses[0].partition("/recfleet")[0]
    assert [address for address in asked if not address.startswith(f"{origin}/recfleet/")] == []
    # Without the browser's own line about a page that answers 404.
    assert [text for text in said if "404" not in text] == []


def test_the_pages_follow_the_theme_of_the_ui_at_once(ui: Page) -> None:
    frame = open_fleet(ui)
    for theme in ("dark", "light"):
        # As if a person chose it in another tab: the UI notices and changes itself.
        ui.evaluate(
            "(theme) => { localStorage.setItem('theme', theme); window.dispatchEvent("
            "new StorageEvent('storage', { key: 'theme', newValue: theme })); }",
            theme,
        )
        ui.locator(f"html.{theme}").wait_for(state="attached")
        frame.locator(f"html[data-theme={theme}]").wait_for(state="attached")
    ui.evaluate("localStorage.removeItem('theme')")


def test_everything_works_by_keyboard(pages: tuple[Page, list[str]]) -> None:
    page, addresses = pages
    page.goto(addresses[1])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    button = page.get_by_role("button", name="Backfill")
    for _ in range(10):
        if button.evaluate("(button) => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert button.evaluate("(button) => button === document.activeElement")
