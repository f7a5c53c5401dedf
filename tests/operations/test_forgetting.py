"""Forgetting a customer: nothing of theirs is left, and nothing brings it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection, read_rows, transaction
from recfleet.feedback import Event, Exposure, add_events, attribute_fleet, note_exposures
from recfleet.fleet.plan import plan_night
from recfleet.operations import tell_story, verify
from recfleet.releases import switch_live
from recfleet.settings import forget_settings
from tests.releases._worlds import add_night, lists_of, make_champion, stage

pytestmark = pytest.mark.postgres

WHO = "Mara Lindqvist-77"
THEN = datetime(2026, 3, 2, 12, tzinfo=UTC)
LISTS = lists_of({WHO: [("p1", 0.9)], "other": [("p1", 0.5)]}, [("p1", 0.5)])


def _tables(connection: Connection) -> list[str]:
    rows = read_rows(
        connection,
        "select c.oid::regclass::text as name from pg_class c where c.relkind in ('r', 'p') "
        "and not c.relispartition and c.relnamespace = 'recfleet'::regnamespace "
        "and has_table_privilege(c.oid, 'select')",
    )
    return [row["name"] for row in rows]


def _naming(connection: Connection, text: str) -> dict[str, int]:
    """Table -> rows in which a text stands anywhere."""
    found = {}
    for table in _tables(connection):
        [row] = read_rows(
            connection,
            f"select count(*) as rows from {table} as one where strpos(one::text, %s) > 0",
            (text,),
        )
        if row["rows"]:
            found[table.removeprefix("recfleet.")] = row["rows"]
    return found


def _buy(connection: Connection, customer: str, *times: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into interaction values ('acme', %s, %s, %s, 'p1', 1, 5, 1)",
            [(time, hash((customer, time)), customer) for time in times],
        )


@pytest.fixture
def shop(connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A shop in which two customers did everything that can be done."""
    night_id = add_night(connection)
    with transaction(connection), connection.cursor() as cursor:
        make_champion(connection, 7)
        switch_live(connection, {"acme": stage(connection, night_id, LISTS, version=7)})
        for who in (WHO, "other"):
            _buy(connection, who, THEN, THEN + timedelta(days=1))
            cursor.execute(
                "insert into customer (tenant_id, customer_id, name) "
                "values ('acme', %s, %s)", (who, f"called {who}"),
            )  # fmt: skip
            cursor.execute(
                "insert into unusable_line (tenant_id, line_hash, reason, line) "
                "values ('acme', hashtext(%s), 'no time', jsonb_build_object('who', %s))",
                (who, who),
            )
            cursor.execute(
                "insert into quality_result (night_id, tenant_id, expectation, severity, success, "
                "sample) values (%s, 'acme', %s, 'info', false, jsonb_build_array(%s))",
                (night_id, f"of {len(who)}", who),
            )
            note_exposures(connection, "acme", [Exposure(who, "pull", THEN)])
            events: list[Any] = [
                Event(id=f"{kind} {len(who)}", kind=kind, product="p1", customer=who,
                      happened_at=THEN)
                for kind in ("shown", "bought")
            ]  # fmt: skip
            add_events(connection, "acme", events, received_at=THEN, told_by="tests")
    attribute_fleet(connection, THEN + timedelta(days=3))
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    return connection


def _forget(*more: str) -> str:
    words = ["customer", "forget", "acme", WHO, *more]
    result = CliRunner().invoke(app, words)
    return f"{result.output}{result.exception or ''}"


def test_nothing_is_left_of_a_customer_and_nothing_comes_back(shop: Connection) -> None:
    before = _naming(shop, WHO)
    of_other = _naming(shop, "other")
    assert {"interaction", "recommendation", "event", "exposure", "attribution"} < set(before)
    shop.rollback()

    assert "2 purchase lines" in _forget("--dry-run")
    assert "no terminal to ask on" in _forget("--reason", "asked by letter")
    assert "without the customer's id" in _forget(
        "--reason", f"{WHO.split(maxsplit=1)[0]} {WHO}", "--yes"
    )
    assert _naming(shop, WHO) == before
    shop.rollback()

    told = _forget("--reason", "asked by letter", "--yes")
    assert "2 purchase lines, 1 unusable lines, 1 facts, 1 lists, 2 events" in told
    assert _naming(shop, WHO) == {}
    assert _naming(shop, "other") == of_other
    release = "select customers, (select count(*) from recommendation) as lists from release"
    assert read_rows(shop, release) == [{"customers": 1, "lists": 1}]
    [entry] = [one for one in tell_story(shop, "acme") if one.kind == "customer forgotten"]
    assert entry.reason == "asked by letter"
    assert [fault for fault in verify(shop).faults if fault.entry is not None] == []

    # A feed sends the old lines again, and the customer buys anew.
    with transaction(shop):
        _buy(shop, WHO, THEN, datetime.now(UTC) + timedelta(minutes=1))
    plan_night("next", None, datetime.now(UTC), {})
    rows = read_rows(shop, "select occurred_at > now() as is_new from interaction "
                           "where customer_id = %s", (WHO,))  # fmt: skip
    assert rows == [{"is_new": True}]
