"""Looking up a list: what is found, why nothing is found, and how little is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recfleet.database import Connection, transaction
from recfleet.errors import UnknownTenantError
from recfleet.releases import NotServedError, Recommended, look_up, switch_live
from recfleet.releases._look_up import _QUERY
from recfleet.releases._make import exclude_customers
from tests.releases._worlds import (
    AS_OF,
    add_night,
    lists_of,
    make_champion,
    random_lists,
    stage,
)

pytestmark = pytest.mark.postgres

LISTS = lists_of(
    {"c": [("p", 2.5), ("q", 1.5)], "d": [("q", 0.5)], "e": []},
    [("q", 0.5), ("p", 0.25)],
    from_model=frozenset("c"),
    again=frozenset({("c", "p")}),
)


@pytest.fixture
def published(connection: Connection) -> dict[str, int]:
    """A night of acme, live."""
    night_id = add_night(connection)
    with transaction(connection), connection.cursor() as cursor:
        make_champion(connection, 7)
        release_id = stage(connection, night_id, LISTS, version=7)
        switch_live(connection, {"acme": release_id})
        cursor.execute("insert into product values ('acme', 'p', 'Pen'), ('other', 'q', 'Queue')")
    return {"release_id": release_id, "night_id": night_id}


def test_a_customers_list(connection: Connection, published: dict[str, int]) -> None:
    origin: dict[str, Any] = {"model_version": 7, "as_of": AS_OF, **published}
    model = {"source": "taste", "known_customer": True, **origin}
    popular = {"source": "popular", "known_customer": True, **origin}
    new: dict[str, Any] = {"kind": "new", "rank_in_kind": 1}
    again: dict[str, Any] = {"kind": "again", "rank_in_kind": 1}
    first = Recommended(rank=1, product_id="p", product_name="Pen", score=2.5, **again, **model)
    second = Recommended(rank=2, product_id="q", product_name=None, score=1.5, **new, **model)
    assert look_up(connection, "acme", "c") == [first, second]
    assert look_up(connection, "acme", "c", 1) == [first]
    assert look_up(connection, "acme", "c", 1, kind="new") == [second]
    assert look_up(connection, "acme", "c", kind="again") == [first]
    assert look_up(connection, "acme", "d") == [
        Recommended(rank=1, product_id="q", product_name=None, score=0.5, **new, **popular)
    ]


def test_the_view_shows_what_is_looked_up(
    connection: Connection, published: dict[str, int]
) -> None:
    mixed = replace(
        LISTS,
        sources=np.array([2, 1, 3], np.int8),  # habit, taste; trend
        products=np.array([0, 1, 1], np.int32),
    )
    night_id = add_night(connection)
    for lists in (LISTS, mixed, replace(mixed, offers="new"), replace(mixed, offers="again")):
        with transaction(connection):
            switch_live(connection, {"acme": stage(connection, night_id, lists, version=7)})
        with connection.cursor() as cursor:
            for customer in ("c", "d", "nobody"):
                cursor.execute(
                    "select rank, product_id, source, kind, rank_in_kind from live_recommendation "
                    "where customer_id = %s order by rank",
                    (customer,),
                )
                seen = cursor.fetchall()
                if customer == "nobody":
                    cursor.execute(
                        "select rank, product_id, source, kind, rank_in_kind from live_popular "
                        "order by rank"
                    )
                    seen = cursor.fetchall()
                assert seen == [
                    (one.rank, one.product_id, one.source, one.kind, one.rank_in_kind)
                    for one in look_up(connection, "acme", customer)
                ]


def test_a_list_made_before_there_were_kinds(
    connection: Connection, published: dict[str, int]
) -> None:
    kinds = "select source, kind, rank_in_kind from live_recommendation where customer_id = 'c'"
    with connection.cursor() as cursor:
        cursor.execute("update recommendation set kinds = null, source = 'model'")
        for offers, kind in (("new", "new"), (None, None)):
            cursor.execute("update release set offers = %s", (offers,))
            cursor.execute(f"{kinds} order by rank")
            ranks = [1, 2] if kind else [None, None]
            assert cursor.fetchall() == [("taste", kind, rank) for rank in ranks]
            found = look_up(connection, "acme", "c")
            assert [(one.source, one.kind, one.rank_in_kind) for one in found] == [
                ("taste", kind, rank) for rank in ranks
            ]


def test_a_customer_who_bought_everything_is_offered_nothing(
    connection: Connection, published: dict[str, int]
) -> None:
    assert look_up(connection, "acme", "e") == []


def test_an_excluded_customer_is_not_taken_for_unknown(
    connection: Connection, published: dict[str, int]
) -> None:
    night_id = add_night(connection)
    with transaction(connection):
        lists = exclude_customers(LISTS, ["c", "new"])
        switch_live(connection, {"acme": stage(connection, night_id, lists, version=7)})
    for customer in ("c", "new"):
        with pytest.raises(NotServedError, match=f"excludes customer '{customer}'"):
            look_up(connection, "acme", customer)
    assert len(look_up(connection, "acme", "d")) == 1
    assert look_up(connection, "acme", "e") == []
    assert len(look_up(connection, "acme", "unknown")) == 2
    with connection.cursor() as cursor:
        cursor.execute("select distinct customer_id from live_recommendation")
        assert cursor.fetchall() == [("d",)]
        cursor.execute("select customer_id from live_excluded where tenant_id = 'acme' order by 1")
        assert cursor.fetchall() == [("c",), ("new",)]
        cursor.execute(
            "select customer_id, source, products, scores from recommendation "
            "where night_id = %s and source = 'excluded' order by 1",
            (night_id,),
        )
        assert cursor.fetchall() == [("c", "excluded", [], []), ("new", "excluded", [], [])]


@pytest.mark.parametrize("customer", ["nobody", "", "c'; --", "NULL"])
def test_a_customer_nobody_knows_gets_popular_products(
    connection: Connection, published: dict[str, int], customer: str
) -> None:
    found = look_up(connection, "acme", customer)
    assert [(one.rank, one.product_id, one.score) for one in found] == [
        (1, "q", 0.5),
        (2, "p", 0.25),
    ]
    assert {(one.source, one.known_customer) for one in found} == {("popular", False)}
    assert [one.rank for one in look_up(connection, "acme", customer, 1)] == [1]


def test_why_nothing_is_served(connection: Connection, published: dict[str, int]) -> None:
    add_night(connection, ("new",))
    with pytest.raises(NotServedError, match="new has no published lists yet"):
        look_up(connection, "new", "c")
    with pytest.raises(UnknownTenantError, match="no tenant 'acne'"):
        look_up(connection, "acne", "c")
    with connection.cursor() as cursor:
        cursor.execute("update tenant set mode = 'off' where tenant_id = 'acme'")
        with pytest.raises(NotServedError, match="acme is off"):
            look_up(connection, "acme", "c")
        for view in ("live_recommendation", "live_popular"):
            cursor.execute(f"select count(*) from {view}")
            assert cursor.fetchall() == [(0,)]
        cursor.execute("update tenant set mode = 'frozen' where tenant_id = 'acme'")
    assert len(look_up(connection, "acme", "c")) == 2


@pytest.fixture
def many_nights(connection: Connection) -> int:
    """Six nights of three tenants; acme's fourth is live. Returns its number."""
    lists = random_lists(np.random.default_rng(1), customers=400, length=20, products=200)
    nights = [add_night(connection, ("acme", "beta", "gamma")) for _ in range(6)]
    for night_id in nights:
        for tenant_id in ("acme", "beta", "gamma"):
            release_id = stage(connection, night_id, lists, tenant_id=tenant_id)
            if (tenant_id == "acme") == (night_id == nights[3]):
                switch_live(connection, {tenant_id: release_id})
    connection.commit()
    return nights[3]


VIEW = "select * from live_recommendation where tenant_id = 'acme'"
QUERIES = {
    "one customer": (f"{VIEW} and customer_id = 'customer 17'", ()),
    "whole tenant": (VIEW, ()),
    "look up": (_QUERY, ("customer 17", 10, "acme")),
}


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("query", QUERIES)
def test_only_the_live_nights_partition_is_read_and_by_its_index(
    connection: Connection, many_nights: int, query: str, analyzed: bool
) -> None:
    text, parameters = QUERIES[query]
    with connection.cursor() as cursor:
        if analyzed:
            cursor.execute("analyze")
        cursor.execute(
            f"explain (analyze, costs off, timing off, summary off, format json) {text}",
            parameters,
        )
        [(plan,)] = cursor.fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    read = {
        (node["Relation Name"], node["Node Type"])
        for node in _nodes(plan[0]["Plan"])
        if node["Actual Loops"] and node.get("Relation Name", "").startswith("recommendation")
    }
    # For a quarter of a partition, Postgres uses a bitmap of its index.
    kinds = {"Index Scan", "Bitmap Heap Scan"} if query == "whole tenant" else {"Index Scan"}
    assert len(read) == 1
    [(relation, kind)] = read
    assert relation == f"recommendation_night_{many_nights}"
    assert kind in kinds
    assert plan[0]["Plan"]["Actual Rows"] == {"one customer": 20, "look up": 10}.get(query, 8000)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
