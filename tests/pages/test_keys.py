"""Keys on the Tenant page: shown once, in the person's name, for whoever may change the tenant."""

from __future__ import annotations

import re

import pytest

from recfleet.database import Connection
from recfleet.keys import read_key
from tests.nights import query
from tests.pages.conftest import Browser, Visit
from tests.pages.test_door import token_of

pytestmark = pytest.mark.postgres

PAGE = "/tenants/corner-shop"
FORM = {
    "name": "till <3>",
    "scopes": ["read", "events"],
    "reason": "new tills",
    "dialog": "new-key",
}


def _send(browser: Browser, path: str, **form: object) -> str:
    """Send a form; returns the page that follows."""
    answer = browser.post(f"{PAGE}/{path}", data={**form, "token": token_of(browser)})
    if answer.status_code == 303:
        answer = browser.get(answer.headers["location"])
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


def _shown(text: str) -> str:
    """The key that a page shows."""
    [key] = re.findall(r'value="(rf_live_\w+)"', text)
    return str(key)


def test_a_key_is_made_exchanged_and_revoked(
    connection: Connection, shop: str, visit: Visit
) -> None:
    browser = visit("admin")
    first = read_key(_shown(_send(browser, "keys", **FORM)))
    assert query(connection, "select name, scopes, created_by from api_key") == [
        ("till <3>", ["events", "read"], "admin")
    ]
    page = browser.get(PAGE).text
    assert "till &lt;3&gt;" in page
    assert f"rf_live_{first.key_id}_…" in page

    second = read_key(
        _shown(_send(browser, f"keys/{first.key_id}/rotate", reason="yearly", dialog="x"))
    )
    said = _send(browser, f"keys/{second.key_id}/revoke", reason="lost", dialog="x")
    assert f"the key {second.key_id} (till &lt;3&gt;) is revoked" in said
    assert query(
        connection, "select actor, reason, facts ->> 'change' from audit order by audit_id"
    ) == [
        ("admin", "new tills", "created"),
        ("admin", "yearly", "created"),
        ("admin", "lost", "revoked"),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scopes": []}, "Say what the key opens"),
        ({"name": " "}, "cannot be a key"),
        ({"last_day": "2020-01-01"}, "would have expired"),
        ({"last_day": "tomorrow"}, "is no day"),
        ({"reason": " "}, "Say why"),
    ],
)
def test_what_cannot_be_made_is_said_in_the_open_dialog(
    connection: Connection, shop: str, visit: Visit, change: dict[str, object], words: str
) -> None:
    text = _send(visit("admin"), "keys", **{**FORM, **change})
    assert words in text
    assert re.search(r'<dialog id="new-key"[^>]* open', text)
    assert query(connection, "select count(*) from api_key") == [(0,)]


def test_whoever_may_not_change_the_tenant_has_no_button(
    connection: Connection, shop: str, visit: Visit
) -> None:
    token = token_of(visit("admin"))
    for path in ("keys", "keys/abcdefgh/rotate", "keys/abcdefgh/revoke"):
        answer = visit("viewer").post(f"{PAGE}/{path}", data={**FORM, "token": token})
        assert answer.status_code == 403
        assert visit("viewer").get(f"{PAGE}/{path}").status_code == 303
    assert query(connection, "select count(*) from api_key") == [(0,)]
    assert "New key" not in visit("viewer").get(PAGE).text
