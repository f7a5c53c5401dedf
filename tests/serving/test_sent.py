"""Purchase lines over HTTP: stored once, told apart as those of files are, each answered for."""

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


def test_lines_of_another_tenant_are_stored_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without the service's own check: Postgres knows whose the key is."""

    async def story(say: Say) -> None:
        path = "/v1/tenants/beta/interactions"
        body = {"interactions": [LINE]}
        is_problem(await say(path, method="POST", json=body, key="acme data"), 404)
        monkeypatch.setattr(_sent, "check_opened", lambda *_: None)
        assert (await say(path, method="POST", json=body, key="acme data")).status_code == 500

    world.talk(story)
    with closing(connect(world.writer)) as connection:
        row = read_row(connection, "select count(*) as lines from interaction where quantity = 2")
    assert row == {"lines": 0}
