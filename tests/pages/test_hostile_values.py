"""Whatever an address or a form holds, the answer is a page with its headers, and no failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from recfleet.database import Connection
from recfleet.pages import LazyApp
from tests.nights import query
from tests.pages.conftest import Visit
from tests.pages.test_door import token_of

pytestmark = pytest.mark.postgres

HOSTILE = (
    "\x00", "corner-shop\x00", "9" * 30, "-" + "9" * 30, "9" * 5_000, str(2**63), "1e400", "nan",
    "-1", "\u0661", "\u200b", "\ud7ff\uffff", "'; drop table tenant; --", "%", "../../etc/passwd",
    "<script>", "x" * 5_000, "9999-12-31T23:59:59.999999+14:00", "0001-01-01", " ", "",
)  # fmt: skip
SOUND = {"tenant_id": "corner-shop", "night_id": "1", "key_id": "k3y00000"}
READ_BY_HAND = ("page", "q", "mode", "outcome", "attention", "sort", "notice")


def routes(app: LazyApp, method: str) -> list[APIRoute]:
    found = [route for route in app.app().routes if isinstance(route, APIRoute)]
    return [route for route in found if method in (route.methods or ())]


def addresses(route: APIRoute) -> Iterator[str]:
    """Of this route, with each hostile value in each place, and with sound ones."""
    names = [parameter.name for parameter in route.dependant.path_params]
    for name in names:
        for value in HOSTILE:
            yield route.path.format(**{**SOUND, name: quote(value, safe="")})
    plain = route.path.format(**SOUND)
    declared = [parameter.name for parameter in route.dependant.query_params]
    for value in HOSTILE:
        for name in declared:
            yield f"{plain}?{name}={quote(value, safe='')}"
        yield f"{plain}?{urlencode(dict.fromkeys(READ_BY_HAND, value))}"


def fields(parameter: Any) -> list[str]:
    """The fields of the form that a route reads."""
    form = parameter.field_info.annotation
    return list(form.model_fields) if isinstance(form, type) and issubclass(form, BaseModel) else []


def check(answer: httpx.Response, sent: object) -> None:
    assert answer.status_code < 500, sent
    for name in ("content-security-policy", "x-content-type-options", "cache-control"):
        assert name in answer.headers, sent


def test_no_address_fails(shop: str, app: LazyApp, visit: Visit) -> None:
    found = routes(app, "GET")
    assert len(found) > 8
    for route in found:
        for address in addresses(route):
            check(visit("admin").get(address), address)


def test_no_file_for_browsers_fails(app: LazyApp, visit: Visit) -> None:
    for value in HOSTILE:
        check(visit("admin").get(f"/static/{quote(value, safe='')}"), value)


def test_no_form_fails(connection: Connection, shop: str, app: LazyApp, visit: Visit) -> None:
    browser = visit("admin")
    token = token_of(browser)
    sound = {"mode": "frozen", "answer": "approve", "token": token, "reason": "why"}
    sound |= {"first": "2025-11-01", "last": "2025-11-02"}
    for route in routes(app, "POST"):
        address = route.path.format(**SOUND)
        known = [name for parameter in route.dependant.body_params for name in fields(parameter)]
        assert "reason" in known
        for name in set(known) - {"token"}:
            for value in HOSTILE:
                check(browser.post(address, {**sound, name: value}), (address, name, value))
        for parameter in route.dependant.path_params:
            for value in HOSTILE:
                address = route.path.format(**{**SOUND, parameter.name: quote(value, safe="")})
                check(browser.post(address, sound), address)
    kept = query(connection, "select reason from audit")
    assert [reason for (reason,) in kept if "\x00" in reason or not reason.strip()] == []


def test_a_failure_of_our_own_has_headers_too(
    shop: str, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the kettle is cold")

    monkeypatch.setattr("recfleet.pages._nights._read_recent", fail)

    answer = visit().get("/nights")

    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "a fault of recfleet" in answer.text
    assert "kettle" not in answer.text
