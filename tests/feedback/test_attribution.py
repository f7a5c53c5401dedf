"""Purchases credited to answers, once; and the days that are made again when late data comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection, copy_rows, read_rows
from recfleet.feedback import (
    Event,
    EventKind,
    Exposure,
    add_events,
    attribute_fleet,
    attribute_tenant,
    delete_old_feedback,
    note_exposures,
    read_incremental,
)
from recfleet.feedback._incremental import write_incremental
from recfleet.interactions import INTERACTION_COLUMNS
from recfleet.record import open_night
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants

pytestmark = pytest.mark.postgres
T = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def acme(connection: Connection) -> Iterator[Connection]:
    """Acme, and a tenant of whom nothing is known."""
    add_tenants(connection, {"acme": "Acme", "bare": "Bare"})
    connection.commit()
    yield connection
    connection.rollback()


def answer(after: timedelta) -> UUID:
    """The id of an answer that was made then."""
    return UUID(f"{int((T + after).timestamp() * 1_000):012x}70008000000000000001")


def buy(connection: Connection, *lines: tuple[str, str, timedelta, float]) -> None:
    """Purchase lines: customer, product, time after T, amount."""
    rows = [
        ("acme", T + after, hash((customer, product, after)), customer, product, 1.0, amount)
        for customer, product, after, amount in lines
    ]
    copy_rows(connection, "interaction", INTERACTION_COLUMNS[:7], rows)


def tell(
    connection: Connection,
    *events: tuple[str, EventKind, str | None, str, timedelta, timedelta | None],
    received: timedelta | None = None,
) -> None:
    """Events: id, kind, customer, product, time after T, and that of the answer."""
    for number, kind, customer, product, after, answered in events:
        event = Event(
            id=number,
            kind=kind,
            customer=customer,
            product=product,
            happened_at=T + after,
            answer=None if answered is None else answer(answered),
            amount=3.0 if kind == "bought" else None,
            quantity=2.0 if kind == "bought" else None,
        )
        at = T + (after if received is None else received)
        add_events(connection, "acme", [event], received_at=at, told_by="tests")


def attributed(connection: Connection, as_of: timedelta, columns: str) -> list[tuple[Any, ...]]:
    """What is attributed after a night."""
    assert attribute_fleet(connection, T + as_of).failed == {}
    connection.commit()
    query = f"select {columns} from attribution order by bought_at, customer_id, product_id"
    return [tuple(row.values()) for row in read_rows(connection, query)]


def test_a_purchase_is_credited_once_to_what_was_shown(acme: Connection) -> None:
    note_exposures(
        acme,
        "acme",
        [
            Exposure("a", "pull", T - HOUR, model_version=3),
            Exposure("a", "push", T + HOUR, answer(HOUR), 4, "popular"),
            Exposure("b", "pull", T + DAY),
        ],
    )
    tell(
        acme,
        ("s1", "shown", "a", "p", timedelta(0), None),
        ("s2", "shown", "a", "p", 2 * HOUR, HOUR),  # the last one is credited
        ("s3", "shown", "a", "q", timedelta(0), None),
        ("s4", "shown", "b", "p", DAY, None),
        ("s5", "rejected", "a", "r", timedelta(0), None),  # is no showing
        ("b1", "bought", "a", "q", 3 * DAY + HOUR, HOUR),  # is the line of that day: claimed
        ("b2", "bought", None, "z", 3 * DAY, HOUR),  # somebody, whom s2 knows by the answer
        ("b3", "bought", "b", "p", 4 * DAY, None),  # a purchase that no line has: matched
        ("b4", "bought", "a", "p", 16 * DAY, HOUR),  # the window has passed
    )
    buy(
        acme,
        ("a", "q", -30 * DAY, 1.0),
        ("a", "p", HOUR, 10.0),
        ("a", "p", 2 * HOUR, 20.0),
        ("a", "p", 14 * DAY + 2 * HOUR, 30.0),  # the window has passed
        ("a", "q", 3 * DAY, 40.0),
        ("a", "r", DAY, 50.0),
        ("b", "p", DAY - HOUR, 60.0),  # before it was shown
        ("nobody", "p", DAY, 70.0),
    )
    columns = (
        "customer_id, product_id, revenue, way, channel, kind, model_version, arm, event_id, "
        "line_hash is not null"
    )
    expected = [
        ("a", "p", 10.0, "matched", "pull", "new", 3, None, None, True),
        ("a", "p", 20.0, "matched", "push", "again", 4, "popular", None, True),
        ("a", "q", 40.0, "claimed", "push", "again", 4, "popular", "b1", True),
        ("a", "z", 6.0, "claimed", "push", "new", 4, "popular", "b2", False),
        ("b", "p", 6.0, "matched", "pull", "again", None, None, "b3", False),
    ]

    assert attributed(acme, 20 * DAY, columns) == expected
    assert attributed(acme, 20 * DAY, columns) == expected

    # The line of b3 comes late, and an older event: these days are made again.
    buy(acme, ("b", "p", 4 * DAY + HOUR, 80.0))
    tell(acme, ("s6", "accepted", "a", "r", HOUR, None), received=20 * DAY)
    late = attributed(acme, 21 * DAY, "customer_id, product_id, revenue, event_id")
    assert late == [
        ("a", "p", 10.0, None),
        ("a", "p", 20.0, None),
        ("a", "r", 50.0, None),
        ("a", "q", 40.0, "b1"),
        ("a", "z", 6.0, "b2"),
        ("b", "p", 80.0, "b3"),
    ]
    assert len(attributed(acme, 19 * DAY, "day")) == 6, "an older night changes nothing"
    acme.cursor().execute("delete from interaction where amount = 50")
    assert len(attributed(acme, 22 * DAY, "day")) == 5, "a load that is taken back"

    rows = read_rows(
        acme,
        "select kind, sum(lists) as lists, sum(customers) as customers, sum(shown) as shown, "
        "sum(accepted) as accepted, sum(rejected) as rejected, sum(purchases) as purchases, "
        "sum(claimed) as claimed, sum(revenue) as revenue from kpi_day group by kind order by kind",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("again", 0, 0, 3, 0, 0, 3, 1, 140.0),
        ("all", 3, 3, 0, 0, 0, 0, 0, 0.0),
        ("new", 0, 0, 1, 1, 1, 2, 1, 16.0),
    ]


def test_a_line_that_has_only_a_date_was_bought_that_day(acme: Connection) -> None:
    tell(acme, ("s1", "shown", "a", "p", timedelta(0), None))
    buy(acme, ("a", "p", -12 * HOUR, 5.0))
    assert attributed(acme, DAY, "revenue, channel") == [(5.0, "unknown")]


def test_incremental_revenue_is_against_the_control(acme: Connection) -> None:
    """Each customer spends about 100 as before, and those who are served 10 more."""
    rng = np.random.default_rng(1)
    exposures, lines = [], []
    for number, usual in enumerate(rng.normal(100, 40, 600)):
        arm = "control" if number % 4 == 0 else None
        name = f"c{number}"
        # A campaign without a control, long before, says nothing about who is in it.
        exposures += [Exposure(name, "push", T - 60 * DAY), Exposure(name, "push", T, arm=arm)]
        lines += [
            (name, "p", -DAY, usual + rng.normal(0, 5)),
            (name, "p", DAY, usual + rng.normal(0, 5) + (10 if arm is None else 0)),
        ]
    exposures.append(Exposure("other", "push", T, arm="popular"))
    note_exposures(acme, "acme", exposures)
    buy(acme, *lines)

    attributed(acme, 13 * DAY, "day")
    [early] = read_incremental(acme, "acme")
    assert (early.served, early.control, early.difference, early.total) == (0, 0, None, None)
    attributed(acme, 14 * DAY, "day")
    [found] = read_incremental(acme, "acme")

    assert (found.channel, found.served, found.control) == ("push", 450, 150)
    assert found.difference is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 10 < found.high
    assert found.low > 0, "CUPED takes the noise of the past out"
    assert abs(found.difference - 10) < 2
    assert found.total == pytest.approx(found.difference * 450)


def test_kpis_in_the_terminal(
    acme: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("RECFLEET_NIGHT_HOUR_PRICE", "3.6")
    forget_settings()
    assert "Nothing is attributed" in CliRunner().invoke(app, ["kpi", "acme"]).output
    note_exposures(acme, "acme", [Exposure("a", "pull", T, model_version=3)])
    tell(acme, ("s1", "shown", "a", "p", HOUR, None), ("s2", "accepted", "a", "p", HOUR, None))
    buy(acme, ("a", "p", DAY, 12.5))
    as_of = T + DAY + 12 * HOUR  # midnight
    night = open_night(acme, "n1", None, as_of)
    timings = '{"train": 1500, "publish": 500}'
    acme.cursor().execute(
        "insert into ledger "
        "(night_id, tenant_id, mode, policy, shard, estimated_ms, basis, timings) "
        "values (%s, 'acme', 'on', '{}', 0, 1, '', %s)",
        (night.night_id, timings),
    )
    attributed(acme, as_of - T, "day")

    shown = CliRunner().invoke(app, ["kpi", "acme"]).output
    for words in ("12.50", "100.0%", "There is no control", "1 night took 2.0 seconds", "0.0020"):
        assert words in shown
    told = json.loads(CliRunner().invoke(app, ["kpi", "acme", "--json"]).output)
    assert told["attributed"]["revenue"] == 12.5
    assert [one["kind"] for one in told["by_kind"]] == ["all", "new"]
    assert told["cost"] == {"nights": 1, "seconds": 2.0, "price": 0.002}


def test_what_is_past_retention_goes_and_the_kpis_stay(acme: Connection) -> None:
    tell(acme, ("s1", "shown", "a", "p", HOUR, None), ("s2", "shown", "a", "q", 40 * DAY, None))
    note_exposures(acme, "acme", [Exposure("a", "pull", T), Exposure("a", "pull", T + 40 * DAY)])
    buy(acme, ("a", "p", DAY, 12.5), ("a", "q", 41 * DAY, 2.0))
    kept = {"window_days": 14, "keep_days": 30}
    attribute_tenant(acme, "acme", T + 42 * DAY, **kept)
    days = "select day, sum(revenue) as revenue from kpi_day group by day order by day"
    before = read_rows(acme, days)
    assert [row["revenue"] for row in before] == [0, 12.5, 0, 2]

    gone = delete_old_feedback(acme, ["acme", "bare"], T + 13 * DAY)

    assert gone == {
        "events": 1, "exposures": 1, "attributed purchases": 1, "days of attribution": 1,
    }  # fmt: skip
    attribute_tenant(acme, "acme", T + 43 * DAY, **kept)
    assert read_rows(acme, days) == before


def test_the_trouble_of_one_tenant_stays_that_tenants(
    acme: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(acme, ("s1", "shown", "a", "p", timedelta(0), None))
    note_exposures(acme, "bare", [Exposure("a", "pull", T)])
    acme.commit()

    def fail(connection: Connection, tenant_id: str, **more: Any) -> None:
        if tenant_id == "acme":
            raise ZeroDivisionError("no luck")
        write_incremental(connection, tenant_id, **more)

    monkeypatch.setattr("recfleet.feedback.nightly.write_incremental", fail)
    done = attribute_fleet(acme, T + DAY)

    assert (done.tenants, done.failed) == (2, {"acme": "ZeroDivisionError: no luck"})
    known = [row["tenant_id"] for row in read_rows(acme, "select tenant_id from attributed")]
    assert known == ["bare"], "everything of acme is as it was"
