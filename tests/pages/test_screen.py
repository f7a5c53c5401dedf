"""The pages' own scripts, in a real browser; Airflow is simulated (``conftest.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recfleet.database import Connection
from recfleet.quality import DocsPage, store_docs
from recfleet.tenants import add_tenants

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.postgres]


AROUND = """
<a href="/plugin/fleet">Fleet</a><a href="/plugin/other">Other</a>
<iframe src="/fleet" style="width: 1200px; height: 700px"></iframe>
<script>
  // As the UI's navigation does: another address, and the frame stays as it is.
  document.addEventListener("click", (event) => {
    event.preventDefault();
    history.pushState(null, "", event.target.href);
  });
</script>
"""


def test_a_refused_action_is_asked_again_and_told_once(shop: str, screen: Page) -> None:
    screen.goto(f"/tenants/{shop}")
    screen.get_by_role("button", name="Backfill").click()
    dialog = screen.get_by_role("dialog")
    dialog.get_by_label("From", exact=True).fill("2025-12-07")
    dialog.get_by_label("To", exact=True).fill("2025-12-01")
    dialog.get_by_label("Reason").fill("a late file")
    dialog.get_by_role("button", name="Backfill").click()
    dialog.get_by_text("the other way round").wait_for()
    # Shown once, in the dialog, which is modal and has an address that can be opened again.
    assert screen.get_by_role("alert").count() == 0
    assert dialog.evaluate("(dialog) => dialog.matches(':modal')")
    assert screen.url.endswith(f"/tenants/{shop}")
    assert dialog.get_by_label("Reason").input_value() == "a late file"
    dialog.get_by_label("From", exact=True).fill("2025-12-01")
    dialog.get_by_role("button", name="Backfill").click()
    done = screen.get_by_role("status").filter(has_text="of Corner Shop again")
    done.wait_for()
    assert screen.url.endswith(f"/tenants/{shop}")
    screen.reload()
    screen.get_by_role("heading", name="Corner Shop").wait_for()
    assert done.count() == 0


def test_enter_on_a_box_answers_nothing(connection: Connection, shop: str, screen: Page) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into night (run_id, as_of) values ('a', now()) returning night_id")
        cursor.execute(
            "insert into approval (tenant_id, night_id, change, version, run_id, held_by, "
            "expires_at) values ('corner-shop', %s, 'promotion', 2, 'r', 'policy', "
            "now() + interval '1 day')",
            cursor.fetchone(),
        )
    connection.commit()
    sent = []
    screen.on("request", lambda request: sent.append(request.method))
    screen.goto("/approvals")
    box = screen.get_by_label("The change of Corner Shop")
    box.check()
    screen.get_by_role("button", name="Answer…").click()
    dialog = screen.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("half a thought")
    screen.keyboard.press("Escape")
    box.focus()
    screen.keyboard.press("Enter")
    screen.get_by_role("button", name="Answer…").click()
    dialog.get_by_role("button", name="Reject").wait_for()
    assert "POST" not in sent
    # Open, it answers.
    dialog.get_by_role("button", name="Reject").click()
    screen.get_by_role("alert").or_(screen.get_by_role("status")).first.wait_for()
    assert "POST" in sent


def test_the_entry_of_the_navigation_leads_to_the_fleet_from_everywhere(
    shop: str, screen: Page
) -> None:
    screen.route("**/plugin/**", lambda route: route.fulfill(body=AROUND, content_type="text/html"))
    screen.goto("/plugin/fleet")
    frame = screen.frame_locator("iframe")
    for _ in range(2):
        frame.locator("table.tenants").get_by_role("link", name="Corner Shop").click()
        frame.get_by_role("heading", level=1, name="Corner Shop").wait_for()
        screen.get_by_role("link", name="Other").click()
        screen.evaluate("history.back()")
        screen.wait_for_url("**/plugin/fleet")
        frame.get_by_role("heading", level=1, name="Corner Shop").wait_for()
        screen.get_by_role("link", name="Fleet").click()
        frame.get_by_role("heading", level=1, name="Fleet").wait_for()


def test_data_docs_are_as_long_and_dark_as_the_page_around_and_lead_it(
    connection: Connection, shop: str, screen: Page
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, as_of) values ('first', now()) returning night_id"
        )
        [(night,)] = cursor.fetchall()
    head = "<!DOCTYPE html><body style='margin: 0'>"
    summary = head + "<a href='corner-shop'>Corner</a><div style='height: 3000px'></div>"
    store_docs(connection, night, [DocsPage(None, summary), DocsPage("corner-shop", head + "Own")])
    connection.commit()
    screen.goto(f"/nights/{night}/data-docs/")
    screen.evaluate("localStorage.setItem('theme', 'dark')")
    screen.reload()
    docs = screen.frame_locator("iframe.docs")
    docs.locator("html[data-theme=dark]").wait_for(state="attached")
    assert screen.locator("iframe.docs").evaluate("(frame) => frame.clientHeight") > 3000
    docs.get_by_role("link", name="Corner").click()
    screen.wait_for_url(f"**/nights/{night}/data-docs/corner-shop")
    docs.get_by_text("Own").wait_for()
    screen.get_by_role("link", name="Corner Shop").click()
    screen.get_by_role("heading", level=1, name="Corner Shop").wait_for()


def test_a_name_without_spaces_fits_a_phone(connection: Connection, screen: Page) -> None:
    add_tenants(connection, {"long": "Nordrheinwestfälischer" * 4})
    connection.commit()
    screen.set_viewport_size({"width": 390, "height": 844})
    for path in ("/tenants/long", "/fleet"):
        screen.goto(path)
        width = screen.evaluate("document.documentElement.scrollWidth")
        assert width == 390, path
    # The table beside the name is visible too.
    named = screen.locator("table.tenants tbody th").bounding_box()
    assert named is not None
    assert named["width"] < 200


def test_the_meaning_of_a_policys_field_stands_below_its_value(
    connection: Connection, shop: str, screen: Page
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""update tenant set policy = '{"minimum_gain": 0.25}'""")
    connection.commit()
    screen.goto(f"/tenants/{shop}")
    value = screen.locator("#policy ~ dl dd")
    assert value.inner_text().startswith("0.25\n")


_LAY_OUT = """
async ([marks, width]) => {
  const pages = document.querySelector("script[type=module]").src;
  const { laidOut } = await import(new URL("charts.js", pages));
  return laidOut(marks, [0, 100], width, "12px sans-serif").map(({ label, row }) => [label, row]);
}
"""


def test_changes_of_champion_keep_their_names_where_modes_lose_theirs(
    shop: str, screen: Page
) -> None:
    """One day has more changes than there are rows for names."""
    modes = ["frozen", "thawed", "switched off", "switched on"]
    labels = ["first model v1", "promoted v2", *modes, "rolled back to v1"]
    marks = [
        {"x": 50, "label": label, "colour": "cold", "is_champion": label not in modes}
        for label in labels
    ]
    screen.goto(f"/tenants/{shop}")
    rows = dict(screen.evaluate(_LAY_OUT, [marks, 500]))
    assert rows.keys() == set(labels)
    assert {label for label, row in rows.items() if row >= 0} == {
        "first model v1",
        "promoted v2",
        "rolled back to v1",
        "switched on",
    }
