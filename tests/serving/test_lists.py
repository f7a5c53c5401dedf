"""A customer's list over HTTP: what is in it, what is not, and how it is cached."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from recfleet.database import API
from recfleet.serving._database import Database
from recfleet.serving._problems import DatabaseAwayError
from tests.roles import PASSWORD
from tests.serving.conftest import VERSION, Say, World, is_problem, products

pytestmark = pytest.mark.postgres
LIST = "customers/c1/recommendations"


def test_a_list_says_what_it_is(served: World) -> None:
    before = time.time()
    told = served.ask(LIST).json()

    answer_id = uuid.UUID(told.pop("id"))
    assert answer_id.version == 7
    assert before - 1 < (answer_id.int >> 80) / 1000 < time.time() + 1
    items = told.pop("items")
    assert told.pop("release") > 0
    assert told == {
        "channel": "pull",
        "tenant": "acme",
        "customer": "c1",
        "customer_is_known": True,
        "model_version": VERSION,
        "as_of": "2024-05-01T00:00:00+00:00",
        "served_by": "model",
        "arm": None,
        "note": None,
        "is_stale": False,
    }
    # What was discontinued since the night is not in it.
    assert [(one["rank"], one["product"], one["kind"]) for one in items] == [
        (1, "p1", "new"),
        (2, "a/b", "again"),
        (3, "p3", "new"),
    ]
    assert items[0] == {
        "rank": 1,
        "product": "p1",
        "name": "Pen",
        "category": "desk",
        "kind": "new",
        "score": 0.9,
        "source": "taste",
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("limit=1", ["p1"]),
        ("kind=again", ["a/b"]),
        ("kind=new&limit=2", ["p1", "p3"]),
        ("category=desk", ["p1", "a/b"]),
        ("category=desk&category=kitchen&exclude=p1&exclude=p3", ["a/b"]),
        ("channel=pull", ["p1", "a/b", "p3"]),
    ],
)
def test_a_list_is_what_was_asked_for(served: World, asked: str, found: list[str]) -> None:
    assert products(served.ask(f"{LIST}?{asked}")) == found


@pytest.mark.parametrize(
    ("customer", "found", "note"),
    [
        ("🛒 ü", ["p2"], None),
        (" c1 ", ["p1", "a/b", "p3"], None),
        ("empty", [], None),
        ("nobody", ["p2", "p1"], "do not know this customer"),
        ("a/b?c#d", ["p2", "p1"], "do not know this customer"),
        ("shy", [], "excludes this customer"),
    ],
)
def test_whoever_asks_gets_an_answer(
    served: World, customer: str, found: list[str], note: str | None
) -> None:
    answer = served.ask(f"customers/{quote(customer, safe='')}/recommendations")

    assert products(answer) == found
    told = answer.json()
    assert (note or "") in (told["note"] or "")
    assert told["served_by"] == ("nothing" if not found else "popularity" if note else "model")


def test_a_tenant_without_lists_says_so(served: World) -> None:
    answer = served.ask("/v1/tenants/bare/customers/c/recommendations", key="bare")

    assert products(answer) == []
    assert "no lists yet" in answer.json()["note"]


def test_popular_products(served: World) -> None:
    answer = served.ask("popular?limit=1")

    assert products(answer) == ["p2"]
    assert (answer.json()["customer"], answer.json()["note"]) == (None, None)


def test_what_has_not_changed_is_not_sent_again(world: World) -> None:
    async def story(say: Say) -> None:
        first = await say(LIST)
        assert first.headers["cache-control"] == "private, no-cache"
        tag = {"If-None-Match": first.headers["etag"]}
        again = await say(LIST, headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        assert (await say(f"{LIST}?limit=1", headers=tag)).status_code == 200
        world.do("update product set discontinued_at = now() where product_id = 'p1'")
        assert products(await _until(say, tag)) == ["a/b", "p3"]

    world.talk(story)


async def _until(say: Say, tag: dict[str, str]) -> Any:
    """The first answer that is another one."""
    for _ in range(50):
        answer = await say(LIST, headers=tag)
        if answer.status_code == 200:
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError("the change was not heard of")


def test_every_change_is_in_the_next_answer(world: World) -> None:
    async def story(say: Say) -> None:
        for change, found in (
            ("select 1", ["p1", "a/b", "p3"]),
            ('update tenant set policy = \'{"excluded_products": ["p1"]}\'', ["a/b", "p3"]),
            ('update tenant set policy = \'{"excluded_categories": ["desk"]}\'', ["p3"]),
            ('update tenant set policy = \'{"excluded_customers": ["c1"]}\'', []),
            ("update tenant set policy = '{}'", ["p1", "a/b", "p3"]),
            ("update tenant set mode = 'off' where tenant_id = 'acme'", []),
            ("update tenant set mode = 'frozen'", ["p1", "a/b", "p3"]),
            ("delete from live_release where tenant_id = 'acme'", []),
        ):
            world.do(change)
            for _ in range(50):
                answer = await say(LIST)
                if products(answer) == found:
                    break
                await asyncio.sleep(0.01)
            assert products(answer) == found, change
        world.do("update api_key set revoked_at = now()")
        for _ in range(50):
            answer = await say(LIST)
            if answer.status_code != 200:
                break
            await asyncio.sleep(0.01)
        assert "revoked" in is_problem(answer, 401)

    world.talk(story)


def test_lists_come_from_memory(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    row = Database.row

    async def counted(self: Database, query: str, *values: object) -> Any:
        if "serve_list" in query:
            asked.append(values[-1])
        return await row(self, query, *values)

    monkeypatch.setattr(Database, "row", counted)

    async def story(say: Say) -> None:
        answers = [await say(LIST) for _ in range(3)]
        assert len({answer.json()["id"] for answer in answers}) == 3
        assert asked == ["c1"]
        # Another tenant's caller gets nothing of it.
        is_problem(await say(LIST, key="beta"), 404)
        is_problem(await say(LIST, key="acme events"), 403)
        assert asked == ["c1"] * 3

    served.talk(story)


def test_while_the_database_is_away(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row, is_away = Database.row, False

    async def away(self: Database, query: str, *values: object) -> Any:
        if is_away:
            raise DatabaseAwayError
        return await row(self, query, *values)

    monkeypatch.setattr(Database, "row", away)
    service = served.service(api_stale_seconds=0.3)

    async def story(say: Say) -> None:
        nonlocal is_away
        fresh = await say(LIST)
        is_away = True
        service._database.hears = False
        stale = await say(LIST)
        assert products(stale) == products(fresh)
        assert (stale.json()["is_stale"], stale.headers["age"]) == (True, "0")
        is_problem(await say("customers/other/recommendations"), 503)
        is_problem(await say(LIST, key="beta"), 503)
        time.sleep(0.35)
        over = await say(LIST)
        assert "Try again" in is_problem(over, 503)
        assert over.headers["retry-after"] == "2"

    served.talk(story, service)


def test_postgres_that_is_not_there_is_said_in_words(served: World) -> None:
    nowhere = World(served.writer, f"postgresql://{API}:{PASSWORD}@127.0.0.1:1/x", served.artifacts)
    nowhere.keys = served.keys

    async def story(say: Say) -> None:
        is_problem(await say(LIST), 503)
        is_problem(await say("/readyz"), 503)
        assert (await say("/livez")).status_code == 200

    nowhere.talk(story, hears=False)
