"""Campaigns over HTTP: the lists of many customers, streamed, all of one release."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import pytest
from pyarrow import parquet

from recfleet.campaigns import is_control
from recfleet.database import connect, read_rows, transaction
from recfleet.releases import switch_live
from recfleet.serving._http import StreamedAnswer
from recfleet.serving.tenant import _campaigns
from tests.releases._worlds import add_night, lists_of, stage
from tests.serving.conftest import Say, World, is_problem, products

pytestmark = pytest.mark.postgres

PATH = "/v1/tenants/acme/campaigns"


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages with few customers."""
    monkeypatch.setattr(_campaigns, "_LISTS", 2)


async def _send(say: Say, **asked: Any) -> httpx.Response:
    return await say(PATH, method="POST", json=asked)


def _lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_each_customer_gets_what_they_get_by_themselves(world: World) -> None:
    world.do(
        "insert into customer (tenant_id, customer_id, segment) values ('acme', 'c1', 'a'), "
        "('acme', 'new', 'a'), ('acme', 'shy', 'a'), ('acme', 'zz', 'a'), ('beta', 'c1', 'b')",
        """update tenant set policy = '{"excluded_customers": ["zz"]}' where tenant_id = 'acme'""",
    )
    named = ["c1", " stranger ", "shy", "zz", "c1", "🛒 ü", "empty"]

    async def story(say: Say) -> None:
        lines = _lines(await _send(say, customers=named))
        assert [(one["customer"], one["customer_is_known"]) for one in lines] == [
            ("c1", True), ("stranger", False), ("🛒 ü", True), ("empty", True),
        ]  # fmt: skip
        for one in lines:
            alone = await say(f"customers/{one['customer']}/recommendations")
            assert [item["product"] for item in one["items"]] == products(alone)
            for item, other in zip(one["items"], alone.json()["items"], strict=True):
                assert item == {name: other[name] for name in item}
            assert (one["channel"], one["tenant"]) == ("push", "acme")
            assert one["release"] == alone.json()["release"]
        assert len({one["id"] for one in lines}) == 4
        everybody = _lines(await _send(say, all=True, limit=1))
        assert sorted(one["customer"] for one in everybody) == ["c1", "empty", "🛒 ü"]
        assert {len(one["items"]) for one in everybody} == {0, 1}
        told = _lines(await _send(say, segment="a"))
        assert [one["customer"] for one in told] == ["c1", "new"]

    world.talk(story)

    with closing(connect(world.writer)) as connection:
        noted = read_rows(
            connection,
            "select customer_id, arm, answer_id is not null as has_id from exposure "
            "where tenant_id = 'acme' and channel = 'push' order by customer_id collate \"C\"",
        )
    assert [tuple(one.values()) for one in noted] == [
        (one, None, True) for one in ("c1", "empty", "new", "stranger", "🛒 ü")
    ]


def test_a_spreadsheet_takes_nothing_for_a_formula(world: World) -> None:
    world.do("update product set name = '+Pen' where tenant_id = 'acme' and product_id = 'p1'")
    named = ["@c", "c1", "empty"]

    async def story(say: Say) -> None:
        answer = await _send(say, customers=named, format="csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert {row["customer"] for row in rows} == {"'@c", "c1", "empty"}
        assert {row["name"] for row in rows if row["product"] == "p1"} == {"'+Pen"}
        answer = await _send(say, customers=named, format="parquet", control=0.5)
        table = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
        kept_out = {row["customer"] for row in table if row["is_control"]}
        assert kept_out == {one for one in named if is_control("acme", one, 0.5)}
        assert all(row["product"] is None for row in table if row["is_control"])

    world.talk(story)


def test_no_campaign_mixes_two_releases(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if they are switched while it is sent; and one that ends too early is cut off."""
    next_page = _campaigns._Pages.next

    def switch() -> None:
        others = lists_of({one: [("p9", 0.5)] for one in ("c1", "d", "e")}, [("p9", 0.5)])
        with closing(connect(world.writer)) as connection:
            night_id = add_night(connection)
            with transaction(connection):
                release = stage(connection, night_id, others, version=7)
                switch_live(connection, {"acme": release})

    async def and_then(self: Any, do: Any) -> Any:
        page = await next_page(self)
        do()
        return page

    async def story(say: Say) -> None:
        changes = [switch]

        def change() -> None:
            if changes:
                changes.pop()()

        monkeypatch.setattr(_campaigns._Pages, "next", lambda self: and_then(self, change))
        lines = _lines(await _send(say, all=True))
        assert sorted(one["customer"] for one in lines) == ["c1", "empty", "🛒 ü"]
        assert len({one["release"] for one in lines}) == 1
        lines = _lines(await _send(say, all=True))
        assert [one["customer"] for one in lines] == ["c1", "d", "e"]

        changes.append(partial(world.do, "delete from recommendation where customer_id <= 'e'"))
        with pytest.raises(Exception, match="try again"):
            await _send(say, all=True)
        is_problem(await _send(say, all=True), 503)
        switch()
        changes.append(lambda: world.do("update tenant set mode = 'off' where tenant_id = 'acme'"))
        with pytest.raises(Exception, match="is off"):
            await _send(say, all=True)
        assert "is off" in is_problem(await _send(say, all=True), 409)

    world.talk(story)


def test_what_is_asked_wrongly_is_said_before_the_first_list(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(say: Say) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {}, {"all": True, "segment": "a"}, {"all": False}, {"customers": []},
            {"all": True, "control": 2}, {"customers": ["a\0"]}, {"customers": ["a"] * 10_001},
        )  # fmt: skip
        for asked in wrong:
            is_problem(await _send(say, **asked), 422)
        assert "nobody" in is_problem(await _send(say, segment="nobody"), 422)
        everybody = {"all": True}
        is_problem(await say(PATH, method="POST", json=everybody, key="acme data"), 403)
        path = "/v1/tenants/bare/campaigns"
        bare = await say(path, method="POST", json=everybody, key="bare")
        assert "no lists yet" in is_problem(bare, 409)
        path = "/v1/tenants/beta/campaigns"
        is_problem(await say(path, method="POST", json=everybody), 404)
        # Also without the service's own check: Postgres knows whose the key is.
        monkeypatch.setattr(_campaigns, "check_opened", lambda *_: None)
        is_problem(await say(path, method="POST", json=everybody), 409)

    served.talk(story)


def test_nothing_more_is_asked_for_a_caller_who_has_gone() -> None:
    made: list[int] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            for number in range(10):
                made.append(number)
                yield b"line"
        finally:
            made.append(-1)

    async def story() -> None:
        left = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                left.set()
                await asyncio.sleep(0.01)

        async def is_gone() -> None:
            await left.wait()

        await StreamedAnswer(pieces(), "text/csv", {}, is_gone).send(send)

    asyncio.run(story())
    assert made == [0, 1, -1]
