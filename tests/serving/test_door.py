"""Who gets in, and what is said to whoever sends what cannot be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from recfleet.serving import _gate, _service
from recfleet.serving._limits import Limit
from recfleet.serving._openapi import document
from recfleet.serving._problems import ProblemError
from recfleet.serving._promised import (
    BasketAnswer,
    CustomersList,
    Products,
    SimilarAnswer,
    TenantMode,
)
from tests.serving.conftest import Say, World, is_problem, products

pytestmark = pytest.mark.postgres
LIST = "customers/c1/recommendations"


def test_without_a_good_key_nothing_is_answered(served: World) -> None:
    async def story(say: Say) -> None:
        nobody = await say(LIST, key=None)
        assert "Authorization" in is_problem(nobody, 401)
        assert nobody.headers["www-authenticate"] == "Bearer"
        good = say.keys["acme"]
        assert "mistyped" in is_problem(await say(LIST, key=good[:-1]), 401)
        assert "no scope read" in is_problem(await say(LIST, key="acme events"), 403)
        assert "no scope control" in is_problem(await say("mode"), 403)
        basic = await say(LIST, key=None, headers={"Authorization": "Basic eDp5"})
        is_problem(basic, 401)

    served.talk(story)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "customers/c1/recommendations"),
        ("GET", "customers/c1/recommendations?explain=true"),
        ("GET", "customers/c1/why/p1"),
        ("GET", "popular"),
        ("GET", "customers?query=c"),
        ("GET", "products?query=p"),
        ("GET", "products/x9/similar"),
        ("POST", "recommendations"),
        ("GET", "mode"),
        ("PUT", "mode"),
        ("POST", "events"),
        ("POST", "interactions"),
    ],
)
def test_another_tenant_is_as_one_that_is_not_there(
    served: World, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without the service's own check: then Postgres still finds nothing."""
    key = {
        "mode": "acme control",
        "events": "acme events",
        "interactions": "acme data",
    }.get(path, "acme")
    more: dict[str, Any] = {"method": method, "key": key}
    if method == "POST":
        more["json"] = {"products": ["p1"]}
        if path == "events":
            more["json"] = {"events": [{"id": "e", "kind": "shown", "product": "p1"}]}
        elif path == "interactions":
            more["json"] = {"interactions": [{"customer": "c", "product": "p1"}]}
    elif method == "PUT":
        more["json"] = {"mode": "off", "reason": "mischief"}

    async def story(say: Say) -> None:
        other = await say(f"/v1/tenants/beta/{path}", **more)
        absent = await say(f"/v1/tenants/nobody/{path}", **more)
        assert is_problem(other, 404).replace("beta", "nobody") == is_problem(absent, 404)
        for module in (_service, _baskets, _finding, _reasons):
            monkeypatch.setattr(module, "check_opened", lambda *_: None)
        unchecked = await say(f"/v1/tenants/beta/{path}", **more)
        for secret in ("secret", "p2", '"product":"p1"', "live", "is off"):
            assert secret not in unchecked.text
        own = await say("/v1/tenants/beta/mode", key="acme control")
        assert own.status_code != 200 or own.json()["mode"] is None

    from recfleet.serving import _baskets, _finding, _reasons

    served.talk(story)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{LIST}?limit=0", 400, "limit: input should be greater"),
        (f"{LIST}?limit=ten", 400, "limit: input should be a valid integer"),
        (f"{LIST}?limit=1&limit=2", 400, "limit stands there twice"),
        (f"{LIST}?limt=1", 400, "there is no limt; there are limit, kind"),
        (f"{LIST}?channel=push", 400, "channel: input should be 'pull'"),
        (f"{LIST}?explain=perhaps", 400, "explain: input should be a valid boolean"),
        ("customers/c1/why/%20", 400, "names a product"),
        (f"{LIST}?exclude=%00", 400, "NUL"),
        (f"{LIST}?exclude=%ff", 400, "UTF-8"),
        (f"{LIST}?exclude={'x' * 2000}", 414, "1024 characters"),
        (f"{LIST}?{'exclude=x&' * 300}", 400, "200 parameters"),
        ("customers/a%00b/recommendations", 400, "NUL"),
        ("customers/%ff/recommendations", 400, "UTF-8"),
        ("customers/%20/recommendations", 400, "names a customer"),
        (f"customers/{'c' * 300}/recommendations", 400, "names a customer"),
        ("customers/c1", 404, "/openapi.json"),
        ("/v1/tenants", 404, "/openapi.json"),
        ("/counter/x", 404, "/openapi.json"),
        ("products", 400, "query: field required"),
        ("popular?kind=new", 400, "there is no kind"),
    ],
)
def test_an_address_that_cannot_be_used(served: World, path: str, status: int, words: str) -> None:
    assert words in is_problem(served.ask(path), status)


def test_a_method_that_an_address_does_not_have(served: World) -> None:
    answer = served.ask(LIST, method="DELETE")

    assert "This address has GET" in is_problem(answer, 405)
    assert answer.headers["allow"] == "GET"
    head = served.ask(LIST, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"{", 400, "cannot be read as JSON"),
        (b"[" * 100_000, 400, "cannot be read as JSON"),
        (b"\xff", 400, "cannot be read as JSON"),
        (b"[]", 422, "valid dictionary"),
        (b"{}", 422, "products: field required"),
        (b'{"products": []}', 422, "at least 1 item"),
        (b'{"products": ["a\\u0000"]}', 422, "NUL"),
        (b'{"products": ["\\ud800"]}', 422, "products.0"),
        (b'{"products": [1]}', 422, "products.0: input should be a valid string"),
        (b'{"products": ["p"], "limit": "1"}', 422, "limit"),
        (b'{"products": ["p"], "prize": 1}', 422, "there is no prize"),
        (json.dumps({"products": ["p"] * 10_000}).encode(), 422, "at most 1000 items"),
        (b'{"products": ["' + b"x" * 300_000 + b'"]}', 413, "262,144 bytes"),
    ],
)
def test_a_body_that_cannot_be_used(served: World, content: bytes, status: int, words: str) -> None:
    answer = served.ask("recommendations", method="POST", content=content)

    assert words in is_problem(answer, status)


def test_a_body_of_another_kind(served: World) -> None:
    answer = served.ask(
        "recommendations", method="POST", content=b"a,b", headers={"Content-Type": "text/csv"}
    )
    assert "not as text/csv" in is_problem(answer, 415)


def test_one_caller_cannot_starve_the_others(served: World) -> None:
    async def story(say: Say) -> None:
        statuses = [(await say(LIST)).status_code for _ in range(12)]
        assert statuses == [200] * 10 + [429] * 2
        refused = await say(LIST)
        assert "5 requests a second" in is_problem(refused, 429)
        assert refused.headers["retry-after"] == "1"
        assert products(await say("/v1/tenants/beta/popular", key="beta")) == ["p2", "p1"]

    service = served.service(api_rate=5)
    service._gate._keys._clock = lambda: 0.0
    served.talk(story, service)


def test_a_limit_fills_up_again() -> None:
    now = 0.0
    limit = Limit(2, "A key", lambda: now)
    for _ in range(4):
        limit.take("a")
    with pytest.raises(ProblemError, match="2 requests a second"):
        limit.take("a")
    limit.take("b")
    now = 0.5
    limit.take("a")
    with pytest.raises(ProblemError):
        limit.take("a")


def test_guessed_keys_are_limited_by_address(served: World) -> None:
    from recfleet.keys._form import make_key

    async def story(say: Say) -> None:
        guesses = [make_key()[0] for _ in range(45)]
        answers = [await say(LIST, key=guess) for guess in guesses]
        assert [answer.status_code for answer in answers] == [401] * 40 + [429] * 5

    assert _gate._STRANGERS == 20
    service = served.service()
    service._gate._strangers._clock = lambda: 0.0
    served.talk(story, service)


def test_the_document_says_what_is_answered(served: World) -> None:
    told = json.loads(document())
    allowed: dict[str, type[BaseModel]] = {
        LIST: CustomersList,
        "popular": CustomersList,
        "products?query=p": Products,
        "products/p1/similar": SimilarAnswer,
    }

    async def story(say: Say) -> None:
        for path, kind in allowed.items():
            kind.model_validate((await say(path)).json(), strict=True)
        basket = await say("recommendations", method="POST", json={"products": ["p001"]})
        BasketAnswer.model_validate(basket.json(), strict=True)
        mode = await say("mode", key="acme control")
        TenantMode.model_validate(mode.json(), strict=True)
        assert (await say("/openapi.json", key=None)).json() == told
        assert (await say("/readyz", key=None)).json() == {"ready": True}
        metrics = (await say("/metrics", key=None)).text
        assert 'recfleet_api_requests_total{operation="list",status="200"} 1.0' in metrics
        assert "acme" not in metrics

    served.talk(story)
    served_paths = {
        f"/{path}": set(methods) for path, methods in served.service()._tenants.table.items()
    }
    documented = {
        re.sub(r"{\w+}", "*", path): {name.upper() for name in one}
        for path, one in told["paths"].items()
    }
    assert documented == served_paths
    for path, one in told["paths"].items():
        for operation in one.values() if "{" in path else ():
            assert "example" in str(operation)


def test_what_lies_beside_is_not_touched(served: World, tmp_path: Path) -> None:
    for path in ("/../etc/passwd", "/%2e%2e/x", "/v1/tenants/acme/customers/../../mode"):
        assert isinstance(served.ask(path), httpx.Response)
        assert served.ask(path).status_code in (403, 404)
