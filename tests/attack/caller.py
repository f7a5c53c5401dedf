"""A caller of the HTTP service with one tenant's key, which may only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx

from tests.attack.ground import Attempt, Ground

WHO = "caller"
_TRICKS = (
    "{other}", "{own}/../{other}", "{own}%2f..%2f{other}", "{own}/%2e%2e/{other}", "{OTHER}",
    "{other}%00", "{other}%20", "%20{other}", "{own};{other}", "{own},{other}", "~", "*", "%25",
    "{other}'--", "{own}'%20or%20'1'='1",
)  # fmt: skip
_HEADERS = (
    {"X-Original-URL": "/v1/tenants/{other}/popular"},
    {"X-Rewrite-URL": "/v1/tenants/{other}/popular"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Tenant": "{other}"},
    {"X-HTTP-Method-Override": "PUT"},
)

_SENT = {
    "events": {"id": "e", "kind": "shown", "product": "1"},
    "interactions": {"customer": "c", "product": "1"},
}
"""What a key for events and one for data may send."""


def attempt(ground: Ground, key: str) -> list[Attempt]:
    """Try to see and to change more than a key for reading one tenant opens."""
    with httpx.Client(
        base_url=ground.api,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
    ) as client:
        if client.get(f"/v1/tenants/{ground.own}/popular").status_code != 200:
            return [
                Attempt(WHO, "look at the own tenant", "", ("nothing: the key does not open it",))
            ]
        return [
            _others(ground, client),
            _smuggling(ground, client),
            _writing(ground, client),
            _keys(ground, client, key),
            _failing(ground, client),
            _telling(ground, client),
        ]


def _looks(ground: Ground) -> Iterator[tuple[str, str, object]]:
    customer = quote(ground.customer_of(ground.other), safe="")
    yield "GET", "popular", None
    yield "GET", f"customers/{customer}/recommendations", None
    yield "GET", f"customers/{customer}/recommendations?explain=true", None
    yield "GET", f"customers/{customer}/why/1", None
    yield "GET", "products?query=a", None
    yield "GET", "mode", None
    yield "POST", "recommendations", {"products": ["1"]}


def _others(ground: Ground, client: httpx.Client) -> Attempt:
    gained, count = [], 0
    names = {"own": ground.own, "other": ground.other, "OTHER": ground.other.upper()}
    for trick in _TRICKS:
        for method, path, body in _looks(ground):
            count += 1
            address = f"/v1/tenants/{trick.format(**names)}/{path}"
            answer = client.request(method, address, json=body)
            if answer.status_code < 300 and f'"tenant":"{ground.own}"' not in answer.text.replace(
                " ", ""
            ):
                gained.append(f"{method} {address} answers {answer.status_code}")
            elif answer.status_code >= 500:
                gained.append(f"{method} {address} fails: {answer.status_code}")
    return Attempt(WHO, "read another tenant's lists", f"{count} refused", tuple(gained))


def _smuggling(ground: Ground, client: httpx.Client) -> Attempt:
    """What a header says moves nothing."""
    plain = client.get(f"/v1/tenants/{ground.own}/popular").json()["items"]
    gained = []
    for headers in _HEADERS:
        sent = {name: value.format(other=ground.other) for name, value in headers.items()}
        answer = client.get(f"/v1/tenants/{ground.own}/popular", headers=sent)
        if answer.status_code != 200 or answer.json()["items"] != plain:
            gained.append(f"{sent} answers {answer.status_code}")
    return Attempt(
        WHO, "name another tenant in a header", f"{len(_HEADERS)} moved nothing", tuple(gained)
    )


def _writing(ground: Ground, client: httpx.Client) -> Attempt:
    before = ground.stack.query("select tenant_id, mode from tenant order by 1")
    gained = []
    for tenant in (ground.own, ground.other):
        for method in ("PUT", "POST", "PATCH", "DELETE"):
            sent = {"mode": "off", "reason": "mischief"}
            status = client.request(method, f"/v1/tenants/{tenant}/mode", json=sent).status_code
            if status not in (403, 404, 405):
                gained.append(f"{method} mode of {tenant} answers {status}")
        for path, sent_lines in _SENT.items():
            body = {path: [sent_lines]}
            status = client.post(f"/v1/tenants/{tenant}/{path}", json=body).status_code
            if status < 400 or status >= 500:
                gained.append(f"POST {path} of {tenant} answers {status}")
    if ground.stack.query("select tenant_id, mode from tenant order by 1") != before:
        gained.append("a tenant's mode was changed")
    return Attempt(WHO, "write with a key for reading", "12 refused", tuple(gained))


def _keys(ground: Ground, client: httpx.Client, key: str) -> Attempt:
    """Keys that are like one."""
    others = (key[:-1], key + "x", key.upper(), key.replace("rf_live_", "rf_test_"), key[::-1],
              f"{key[:-12]}{'0' * 12}", f"{key} {key}","x")  # fmt: skip
    path = f"/v1/tenants/{ground.own}/popular"
    gained = [
        f"{other[:12]}… answers {status}"
        for other in others
        if (status := client.get(path, headers={"Authorization": f"Bearer {other}"}).status_code)
        not in (400, 401, 429)
    ]
    query = httpx.get(f"{ground.api}{path}?key={key}", trust_env=False, timeout=60)
    if query.status_code == 200:
        gained.append("a key in the address is taken")
    return Attempt(WHO, "guess a key from a key", f"{len(others)} refused", tuple(gained))


def _failing(ground: Ground, client: httpx.Client) -> Attempt:
    tenant = f"/v1/tenants/{ground.own}"
    bodies = (b"{", b"[" * 100_000, b"\xff", b'{"products": ["a\\u0000"]}', b"x" * 400_000,
              json.dumps({"products": ["p"] * 10_000}).encode())  # fmt: skip
    answers = [client.post(f"{tenant}/recommendations", content=body) for body in bodies]
    values = ("%00", "%ff", "%ED%A0%80", "9" * 400, "'%20or%201=1--", "../" * 20)
    answers += [client.get(f"{tenant}/customers/{value}/recommendations") for value in values]
    answers += [client.get(f"{tenant}/popular?limit={value}") for value in ("1e9", "-1", "9" * 30)]
    gained = [f"{each.request.url} fails: {each.status_code}" for each in answers
              if each.status_code >= 500]  # fmt: skip
    return Attempt(WHO, "make the service fail", f"{len(answers)} answered in words", tuple(gained))


def _telling(ground: Ground, client: httpx.Client) -> Attempt:
    """What is open to all names no tenant and no secret."""
    pages = ("/metrics", "/livez", "/readyz", "/openapi.json", "/", "/v1", "/v1/tenants")
    text = "\n".join(client.get(page).text for page in pages)
    gained = [f"the name {each}" for each in (ground.other,) if each in text]
    gained += ground.told_in(text)
    return Attempt(
        WHO, "learn of others from what is open", f"nothing on {len(pages)} pages", tuple(gained)
    )
