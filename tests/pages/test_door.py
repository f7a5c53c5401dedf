"""What each person sees, and whose requests are carried out."""

from __future__ import annotations

import os
import re

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, ConfigurationError
from recfleet.settings import ENV_PREFIX, airflow_settings, forget_settings, registry_settings
from tests.nights import query
from tests.pages.conftest import Browser, Door, Visit

pytestmark = pytest.mark.postgres

PAGES = ("/fleet", "/tenants/corner-shop", "/nights", "/approvals")
FREEZE = {"mode": "frozen", "reason": "its feed broke"}


def token_of(browser: Browser, page: str = "/tenants/corner-shop") -> str:
    found = re.search(r'name="token" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return found[1]


def test_the_pages_need_the_address_of_the_database_alone(
    shop: str, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"RECFLEET_DATABASE_URL", "RECFLEET_HOME"}
    for name in {name for name in os.environ if name.startswith(ENV_PREFIX)} - kept:
        monkeypatch.delenv(name)
    forget_settings()
    assert [visit().get(page).status_code for page in PAGES] == [200] * len(PAGES)
    for read, missing in (
        (registry_settings, "RECFLEET_MLFLOW_STORE_URL"),
        (airflow_settings, "RECFLEET_AIRFLOW_URL"),
    ):
        with pytest.raises(ConfigurationError, match=f"{missing}: field required"):
            read()


@pytest.mark.parametrize("page", PAGES)
def test_without_login_there_is_nothing(shop: str, visit: Visit, page: str) -> None:
    answer = visit(None).get(page)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/auth/login?next={page}"
    assert answer.text == ""


@pytest.mark.parametrize("page", PAGES)
def test_who_may_not_read_the_nights_is_refused(shop: str, visit: Visit, page: str) -> None:
    answer = visit("nobody").get(page)
    assert answer.status_code == 403
    assert "Corner Shop" not in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_a_reader_sees_everything_and_no_button_that_changes(
    shop: str, visit: Visit, page: str
) -> None:
    answer = visit("viewer").get(page)
    assert answer.status_code == 200
    assert 'method="post"' not in answer.text


def test_a_reader_who_sends_it_anyway_is_refused(
    connection: Connection, shop: str, visit: Visit
) -> None:
    token = token_of(visit("admin"))
    for form in (FREEZE, {**FREEZE, "token": token}):
        answer = visit("viewer").post("/tenants/corner-shop/mode", data=form)
        assert answer.status_code == 403
        assert "permission to trigger the DAG tenant_mode" in answer.text
    assert query(connection, "select mode from tenant") == [("on",)]
    assert query(connection, "select count(*) from audit") == [(0,)]


def test_nobody_who_is_logged_in_changes_nothing(
    connection: Connection, shop: str, visit: Visit
) -> None:
    form = {**FREEZE, "token": token_of(visit("admin"))}
    assert visit(None).post("/tenants/corner-shop/mode", data=form).status_code == 401
    assert query(connection, "select mode from tenant") == [("on",)]


def test_each_action_needs_the_permission_of_its_dag(shop: str, visit: Visit, door: Door) -> None:
    page = visit("modes").get("/tenants/corner-shop").text
    assert "/mode" in page
    assert "/backfill" not in page
    form = {"first": "2025-12-01", "last": "2025-12-07", "reason": "again"}
    token = token_of(visit("modes"))
    answer = visit("modes").post("/tenants/corner-shop/backfill", data={**form, "token": token})
    assert answer.status_code == 403
    assert door.started == []


def test_freezing_is_done_in_the_persons_name_and_told_once(
    connection: Connection, shop: str, visit: Visit
) -> None:
    browser = visit("admin")
    form = {**FREEZE, "token": token_of(browser)}
    answer = browser.post("/tenants/corner-shop/mode", data=form)
    assert answer.status_code == 303
    assert query(connection, "select mode from tenant") == [("frozen",)]
    assert query(connection, "select kind, actor, reason from audit") == [
        ("mode", "admin", "its feed broke")
    ]
    shown = browser.get(answer.headers["location"]).text
    assert "Corner Shop is frozen" in shown
    assert "its feed broke" in shown
    # The sentence is signed for the person who acted, so that no link puts words into the page.
    assert "Corner Shop is frozen" not in visit("viewer").get(answer.headers["location"]).text
    told = answer.headers["location"].replace("notice=", "notice=x")
    assert "Corner Shop is frozen" not in browser.get(told).text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_what_another_site_sends_is_refused(
    connection: Connection, shop: str, visit: Visit, headers: dict[str, str]
) -> None:
    browser = visit("admin")
    form = {**FREEZE, "token": token_of(browser)}
    answer = browser.post("/tenants/corner-shop/mode", data=form, headers=headers)
    assert answer.status_code == 403
    assert query(connection, "select mode from tenant") == [("on",)]
    ours = {"sec-fetch-site": "same-origin", "origin": "http://pages"}
    again = browser.post("/tenants/corner-shop/mode", data=form, headers=ours)
    assert again.status_code == 303


def test_a_form_without_a_token_or_with_anothers_is_refused(
    connection: Connection, shop: str, visit: Visit
) -> None:
    browser = visit("admin")
    ours = token_of(browser)
    tokens = ["", "nonsense", ours[:-2], token_of(visit("modes"))]
    for token in tokens:
        form = {**FREEZE, "token": token}
        assert browser.post("/tenants/corner-shop/mode", data=form).status_code == 403
    assert browser.post("/tenants/corner-shop/mode", data=FREEZE).status_code == 403
    assert query(connection, "select mode from tenant") == [("on",)]


def dialogs_open(page: str) -> list[str]:
    return re.findall(r'<dialog id="([^"]+)"[^>]* open', page)


def test_a_refused_action_leads_back_to_the_tenant_with_its_dialog_as_it_was_sent(
    connection: Connection, shop: str, visit: Visit
) -> None:
    browser = visit("admin")
    form = {"mode": "frozen", "reason": " ", "dialog": "freeze", "token": token_of(browser)}
    answer = browser.post("/tenants/corner-shop/mode", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/tenants/corner-shop?")
    shown = browser.get(answer.headers["location"]).text
    assert dialogs_open(shown) == ["freeze"]
    assert "Say why, in a few words" in shown
    assert query(connection, "select mode from tenant") == [("on",)]
    assert dialogs_open(visit("modes").get(answer.headers["location"]).text) == []

    form = {"first": "2025-12-07", "last": "2025-12-01", "step": "3", "promote": "yes"}
    form |= {"reason": "a <b>late</b> file", "dialog": "backfill", "token": token_of(browser)}
    answer = browser.post("/tenants/corner-shop/backfill", data=form)
    shown = browser.get(answer.headers["location"]).text
    assert dialogs_open(shown) == ["backfill"]
    assert "the other way round" in shown
    assert "Its conf" not in shown
    for part in (
        'name="first" type="date" value="2025-12-07"',
        'name="last" type="date" value="2025-12-01"',
        'min="1" value="3"',
        'name="promote" value="yes" checked',
        "required>a &lt;b&gt;late&lt;/b&gt; file</textarea>",
    ):
        assert part in shown


@pytest.mark.parametrize("action", ["mode", "rollback", "backfill"])
def test_the_address_of_an_action_leads_to_its_tenant(shop: str, visit: Visit, action: str) -> None:
    answer = visit("viewer").get(f"/tenants/corner-shop/{action}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tenants/corner-shop")


def test_an_address_that_cannot_be_is_a_page_that_says_so(shop: str, visit: Visit) -> None:
    for address in ("/nights/abc", "/nights?before=x"):
        answer = visit().get(address)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text
        assert visit(None).get(address).status_code == 302


def test_an_unknown_tenant_or_mode_changes_nothing(shop: str, visit: Visit) -> None:
    browser = visit("admin")
    form = {**FREEZE, "token": token_of(browser)}
    wrong = browser.post("/tenants/corner-shop/mode", data={**form, "mode": "asleep"})
    assert wrong.status_code == 422
    missing = browser.post("/tenants/corner-shoq/mode", data=form)
    assert missing.status_code == 404
    assert "Did you mean &#39;corner-shop&#39;?" in missing.text
    assert "<code>recfleet tenant list</code>" in browser.get("/tenants/nobody").text


def test_a_backfill_is_a_run_of_its_dag_in_the_persons_name(
    shop: str, visit: Visit, door: Door
) -> None:
    browser = visit("admin")
    form = {"first": "2025-12-01", "last": "2025-12-07", "step": "7", "reason": "a bad feed"}
    form["token"] = token_of(browser)
    answer = browser.post("/tenants/corner-shop/backfill", data=form)
    assert answer.status_code == 303
    [(dag_id, conf, name)] = door.started
    assert (dag_id, name) == ("tenant_backfill", "admin")
    assert conf["tenants"] == ["corner-shop"]
    assert (conf["step"], conf["promote"], conf["reason"]) == (7, False, "a bad feed")
    assert conf["from"].startswith("2025-12-01")
    shown = browser.get(answer.headers["location"]).text
    assert "of Corner Shop again. <a" in shown
    assert 'href="/dags/tenant_backfill/runs/run-1"' in shown

    ages_ago = {**form, "first": "1999-12-01", "last": "1999-12-02", "step": "1"}
    refused = browser.post("/tenants/corner-shop/backfill", data=ages_ago)
    assert (
        "There is nothing to run: 2 of 2 tenants&#39; nights"
        in browser.get(refused.headers["location"]).text
    )
    assert len(door.started) == 1

    door.refuses = True
    again = browser.post("/tenants/corner-shop/backfill", data=form)
    assert "it is paused" in browser.get(again.headers["location"]).text


@pytest.mark.parametrize("page", [*PAGES, "/no-such-page", "/tenants/nobody"])
def test_every_page_loads_nothing_from_elsewhere(shop: str, visit: Visit, page: str) -> None:
    answer = visit("admin").get(page)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]*)"', answer.text)
    assert loaded
    assert [address for address in loaded if not address.startswith("/static/")] == []
    for address in loaded:
        file = visit(None).get(address)
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]


def test_a_night_that_is_not_there_is_told_from_input_that_cannot_be_used(
    shop: str, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = visit().get("/nights/9")
    assert answer.status_code == 404
    assert "There is no night 9." in answer.text

    def refuse(*_: object) -> None:
        raise BadInputError("It lies in the future.")

    monkeypatch.setattr("recfleet.pages._night._read_night", refuse)
    answer = visit().get("/nights/9")
    assert answer.status_code == 400
    assert "It lies in the future." in answer.text
