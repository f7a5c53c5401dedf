"""Purchases, customers and products over HTTP: stored once, as files are, each answered for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recfleet.database import connect, read_row
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions import ingest
from recfleet.serving import _sent
from tests.serving.conftest import Say, World, is_problem

pytestmark = pytest.mark.postgres

LINE = {"customer": "new", "product": "p1", "time": "2024-05-02T10:00:00Z", "quantity": 2,
        "amount": 5.5, "reference": "r1"}  # fmt: skip
STORED = (
    "select customer_id, product_id, quantity, amount, repetition from interaction "
    "where tenant_id = 'acme' and customer_id in ('new', 'x/y') order by line_hash"
)


def _rows(world: World) -> list[tuple[Any, ...]]:
    with closing(connect(world.writer)) as connection, connection.cursor() as cursor:
        cursor.execute(STORED)
        return list(cursor.fetchall())


def test_lines_are_stored_once_and_each_is_answered_for(world: World, tmp_path: Path) -> None:
    lines = [
        LINE,
        {**LINE, "quantity": "many"},
        {**LINE, "reference": "r2", "customer": " x/y ", "product": "brand new"},
        {**LINE, "time": "2999-01-01"},
        LINE,
        {"product": "p1"},
        {**LINE, "time": 1714644000},
        {**LINE, "price": 3},
        "no line",
        {**LINE, "reference": "r3", "time": "2024-05-02", "quantity": "-1", "amount": "-2.75"},
    ]

    async def story(say: Say) -> list[list[tuple[str, str | None]]]:
        found = []
        for _ in range(2):
            answer = await say(
                "interactions", method="POST", json={"interactions": lines}, key="acme data"
            )
            assert answer.status_code == 200, answer.text
            told = answer.json()["interactions"]
            found.append([(one["status"], one["detail"]) for one in told])
        many = {"interactions": [LINE] * 1_001}
        is_problem(await say("interactions", method="POST", json=many, key="acme data"), 422)
        is_problem(await say("interactions", method="POST", json={"interactions": lines}), 403)
        return found

    first, again = world.talk(story)

    refused = {
        1: ("refused", "unreadable number"),
        3: ("refused", "time in the future"),
        5: ("refused", "no customer"),
        6: ("refused", "Correct this: time: input should be a valid string."),
        7: (
            "refused",
            "Correct this: there is no price; there are customer, product, time, quantity, amount, "
            "reference.",
        ),
        8: ("refused", first[8][1]),
    }
    assert "it: input should be" in str(first[8][1])
    assert first == [refused.get(number, ("stored", None)) for number in range(len(lines))]
    assert again == [refused.get(number, ("known", None)) for number in range(len(lines))]
    stored = _rows(world)
    assert sorted(row[:2] for row in stored) == [
        ("new", "p1"), ("new", "p1"), ("new", "p1"), ("x/y", "brand new"),
    ]  # fmt: skip

    # The same lines in a file are the same lines.
    path = tmp_path / "same.csv"
    path.write_text(
        "customer,product,time,quantity,amount,reference\n"
        "new,p1,2024-05-02T10:00:00Z,2,5.5,r1\nnew,p1,2024-05-02T10:00:00Z,2,5.5,r1\n"
        "x/y,brand new,2024-05-02T10:00:00Z,2,5.5,r2\n"
    )
    mapping = ColumnMapping(
        tenant_id="acme",
        customer_column="customer",
        product_column="product",
        time_column="time",
        quantity_column="quantity",
        amount_column="amount",
        reference_column="reference",
    )
    with closing(connect(world.writer)) as connection:
        report = ingest(connection, path, mapping)
    assert (report.added, report.known) == (0, 3)
    assert _rows(world) == stored


async def _send(say: Say, subject: str, lines: list[Any]) -> list[tuple[str, str | None]]:
    answer = await say(subject, method="POST", json={subject: lines}, key="acme data")
    assert answer.status_code == 200, answer.text
    return [(one["status"], one["detail"]) for one in answer.json()[subject]]


def test_customers_and_products_are_kept_as_they_are_told(world: World) -> None:
    customers = [
        {"customer": 17850.0, "name": " Ann ", "region": "DE", "attributes": {"since": "2019"}},
        {"customer": "x/y", "segment": "cafés"},
        {"customer": " "},
        {"customer": "x/y", "segment": "tea rooms", "name": "n/a"},
        {"customer": "z", "attributes": {"a": "b\0"}},
    ]
    products = [
        {"product": "p1", "price": 2.5, "regions": ["DE", "fr"], "discontinued_at": "2999-01-01"},
        {"product": "brand new", "name": "Lid\0", "introduced_at": "1 May"},
        {"product": "brand new", "name": "Lid", "price": "1.234,50"},
        {"product": "brand new", "name": "Lid", "introduced_at": "2024-05-01T00:00:00+02:00"},
        {"product": "p3", "regions": ["a|b"]},
        {"product": "gone", "discontinued_at": None},
    ]

    async def story(say: Say) -> None:
        assert "Gone" not in (await say("customers/c1/recommendations")).text
        for status in ("stored", "known"):
            told = await _send(say, "customers", customers)
            assert told[:4] == [(status, None)] * 2 + [("refused", "no customer"), (status, None)]
            assert told[4][0] == "refused"
            assert "NUL" in str(told[4][1])
            told = await _send(say, "products", products)
            assert told[4][0] == "refused"
            assert told[:4] == [
                (status, None), ("refused", "unreadable time"), ("refused", "unreadable number"),
                (status, None),
            ]  # fmt: skip
            assert told[5] == (status, None)
        # What is not named stays; null is forgotten.
        assert await _send(say, "customers", [{"customer": "17850", "region": None}]) == [
            ("stored", None)
        ]
        assert await _send(say, "products", [{"product": "p1", "regions": []}]) == [
            ("stored", None)
        ]
        for _ in range(50):  # the service hears that the product is sold again
            if "Gone" in (await say("customers/c1/recommendations")).text:
                break
        else:
            raise AssertionError("the list is an old one")
        is_problem(await say("customers", method="POST", json={"customers": customers}), 403)
        is_problem(
            await say("products", method="POST", json={"products": []}, key="acme data"), 422
        )

    world.talk(story)

    with closing(connect(world.writer)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select customer_id, name, region, segment, attributes from customer "
            "where tenant_id = 'acme' order by customer_id"
        )
        assert cursor.fetchall() == [
            ("17850", "Ann", None, None, {"since": "2019"}), ("x/y", None, None, "tea rooms", None),
        ]  # fmt: skip
        cursor.execute(
            "select product_id, name, category, price, regions, discontinued_at is null "
            "from product where tenant_id = 'acme' and product_id in ('p1', 'brand new', 'gone') "
            "order by product_id"
        )
        assert cursor.fetchall() == [
            ("brand new", "Lid", None, None, None, True), ("gone", "Gone", None, None, None, True),
            ("p1", "Pen", "desk", 2.5, None, False),
        ]  # fmt: skip


def test_lines_of_another_tenant_are_stored_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without the service's own check: Postgres knows whose the key is."""

    async def story(say: Say) -> None:
        bodies = {"interactions": LINE, "customers": {"customer": "new"},
                  "products": {"product": "new"}}  # fmt: skip
        calls = [(f"/v1/tenants/beta/{name}", {name: [one]}) for name, one in bodies.items()]
        for path, body in calls:
            is_problem(await say(path, method="POST", json=body, key="acme data"), 404)
        monkeypatch.setattr(_sent, "check_opened", lambda *_: None)
        for path, body in calls:
            assert (await say(path, method="POST", json=body, key="acme data")).status_code == 500

    world.talk(story)
    with closing(connect(world.writer)) as connection:
        row = read_row(
            connection,
            "select (select count(*) from interaction where quantity = 2) as lines, "
            "(select count(*) from customer) as customers, "
            "(select count(*) from product where product_id = 'new') as products",
        )
    assert row == {"lines": 0, "customers": 0, "products": 0}
