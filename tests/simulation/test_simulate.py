"""Days of synthetic tenants in the database: what customers do is stored once, and is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from typer.testing import CliRunner

from recfleet import simulation
from recfleet.answer_ids import read_answer_id
from recfleet.cli import app
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.feedback import attribute_tenant, read_outcomes
from recfleet.releases import look_up, switch_live
from recfleet.settings import forget_settings
from recfleet.simulation import _simulate, revenue_without_lists, simulate
from recfleet.synthetic import Market, World, draw_lines, find_fleet, seed, tenant_truth, traits
from recfleet.tenants import add_tenants
from tests.nights import query
from tests.releases._worlds import add_night, lists_of, make_champion, stage
from tests.simulation.test_outcomes import GOOD

UNTIL = date(2025, 8, 10)
WORLD = World(
    seed=1,
    median_size=1_500,
    size_sigma=0,
    thin=0,
    broken=1 / 3,
    drift=0,
    broken_from_week=1,
    product_weeks=1e9,
)
SERVED, UNSERVED = (traits(WORLD, number).tenant_id for number in (0, 1))
BROKEN = traits(WORLD, 2).tenant_id


@pytest.fixture
def shops(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """Three synthetic tenants of six weeks, of which the first shows what its customers like."""
    seed(connection, WORLD, tenants=3, until=UNTIL)
    truth = tenant_truth(WORLD, 0, UNTIL)
    best = (-truth.probability).argsort(axis=1)[:, :10]
    products = truth.product_ids
    scores = [(10 - rank) / 10 for rank in range(10)]
    lists = {
        name: list(zip(products[places].tolist(), scores, strict=True))
        for name, places in zip(truth.customer_ids.tolist(), best, strict=True)
    }
    night_id = add_night(connection, [SERVED])
    with transaction(connection):
        make_champion(connection, 7, SERVED)
        popular = lists[truth.customer_ids[0]]
        made = lists_of(lists, popular)
        arm_of = np.arange(len(lists), dtype=np.int16) % 2 - 1
        made = replace(made, arm_names=("popular",), arm_of=arm_of)
        release = stage(connection, night_id, made, tenant_id=SERVED, version=7)
        switch_live(connection, {SERVED: release})
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    yield connection
    forget_settings()


def stored(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that the simulated days have left."""
    return {
        "purchases": query(
            connection,
            "select tenant_id, occurred_at, line_hash, customer_id, product_id, quantity, amount "
            "from interaction where occurred_at >= %s order by 1, 2, 3, 4",
            UNTIL,
        ),
        "events": query(
            connection,
            "select tenant_id, event_id, happened_at, kind, product_id, customer_id, answer_id, "
            "position, quantity, amount, standing from event order by 1, 2",
        ),
        "exposures": query(
            connection,
            "select tenant_id, customer_id, day, channel, answered_at, answer_id, model_version, "
            "arm from exposure order by 1, 2, 3, 4",
        ),
    }


def forget_days(connection: Connection) -> None:
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("delete from event")
        cursor.execute("delete from exposure")
        cursor.execute("delete from interaction where occurred_at >= %s", (UNTIL,))
        later = "ingest_id > (select min(ingest_id) + 1 from ingest)"  # one of broken days
        cursor.execute(f"delete from unusable_line where {later}")
        cursor.execute(f"delete from ingest where {later}")


def test_what_is_stored_is_what_happened(shops: Connection) -> None:
    passed = {one.tenant_id: one for one in simulate(shops, days=14)}
    found = stored(shops)

    # The truth: purchases are the plans, and what the lists have changed.
    market = Market(WORLD, traits(WORLD, 0), 8)
    first = WORLD.day_of(UNTIL)
    plans = draw_lines(market, first, first + 14)
    served = passed[SERVED]
    assert served.revenue_without == pytest.approx(plans.amount.sum())
    without = revenue_without_lists(shops, SERVED, since=UNTIL, until=UNTIL + timedelta(days=14))
    assert sum(without.values()) == pytest.approx(served.revenue_without)
    assert without.keys() >= {
        row[3] for row in found["purchases"] if row[2] < 1_000 and row[0] == SERVED
    }
    amounts = [row[-1] for row in found["purchases"] if row[0] == SERVED]
    assert served.revenue == pytest.approx(sum(amounts))
    assert served.incremental > 0.01 * served.revenue_without
    assert passed[UNSERVED].incremental == 0
    assert not passed[UNSERVED].is_served

    # The events: of one tenant, in time, of products that were in the look-up's list.
    assert {row[0] for row in found["events"]} == {SERVED}
    assert {row[-1] for row in found["events"]} == {"in time"}
    counts = {
        kind: sum(row[3] == kind for row in found["events"])
        for kind in ("shown", "accepted", "rejected", "bought")
    }
    assert counts["shown"] == served.shown > counts["accepted"] == served.accepted > 0
    assert counts["rejected"] == served.rejected > 0
    assert counts["bought"] > served.caused / 2
    *_, customer, answer, _, _, _, _ = next(row for row in found["events"] if row[3] == "shown")
    listed = [place.product_id for place in look_up(shops, SERVED, customer, 10)]
    shown = [row[4] for row in found["events"] if (row[3], row[6]) == ("shown", answer)]
    assert shown == listed[: len(shown)]
    origin = read_answer_id(UUID(str(answer)))
    assert origin is not None
    assert datetime(2025, 8, 10, tzinfo=UTC) <= origin.made_at < datetime(2025, 8, 24, tzinfo=UTC)

    # The exposures: pull and push, the control too, who sees nothing of what is sent.
    channels = {(row[3], row[-1]) for row in found["exposures"]}
    arms = {("pull", "popular"), ("push", "popular")}
    assert channels == {("pull", None), ("push", None), ("push", "control")} | arms
    control = {row[5] for row in found["exposures"] if row[-1] == "control"}
    assert control.isdisjoint(row[6] for row in found["events"])
    outcomes = read_outcomes(
        shops,
        SERVED,
        since=datetime(2025, 8, 10, tzinfo=UTC),
        as_of=datetime(2025, 8, 24, tzinfo=UTC),
        window=timedelta(days=7),
    )
    assert len(outcomes) == len({row[1] for row in found["exposures"]})
    assert outcomes.accepts.sum() > 0

    # Attribution: what was bought after it was shown, each line once, as a loop says.
    shown_at: dict[tuple[str, str], datetime] = {}
    for _, _, happened_at, kind, product, who, *_ in found["events"]:
        if kind == "shown":
            known = shown_at.get((who, product), happened_at)
            shown_at[who, product] = min(known, happened_at)
    credited = [
        amount
        for tenant_id, at, _, who, product, quantity, amount in found["purchases"]
        if tenant_id == SERVED and quantity > 0 and shown_at.get((who, product), at) < at
    ]
    with transaction(shops):
        until = datetime(2025, 8, 24, tzinfo=UTC)
        attribute_tenant(shops, SERVED, until, window_days=14, keep_days=400)
    [(lines, claimed, revenue)] = query(
        shops,
        "select count(*), count(*) filter (where way = 'claimed'), sum(revenue) from attribution",
    )
    assert (lines, claimed) == (len(credited), counts["bought"])
    assert revenue == pytest.approx(sum(credited))
    assert revenue > served.incremental


def test_equal_days_pass_in_whatever_steps_and_kills(
    shops: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(shops, days=12)
    at_once = stored(shops)
    forget_days(shops)

    simulate(shops, [SERVED], days=3)
    told: list[object] = []

    def dies(connection: Connection, one: object) -> None:
        told.append(one)
        if len(told) == 2:
            raise KeyboardInterrupt
        tell(connection, one)  # type: ignore[arg-type]

    tell = _simulate._tell
    before = stored(shops)
    with monkeypatch.context() as patch:
        patch.setattr(_simulate, "_tell", dies)
        with pytest.raises(KeyboardInterrupt):
            simulate(shops, [UNSERVED, BROKEN], days=3)
    shops.rollback()
    assert stored(shops) == before
    simulate(shops, until=UNTIL + timedelta(days=12))

    assert stored(shops) == at_once
    assert simulate(shops, until=UNTIL + timedelta(days=12)) == []
    fleet = find_fleet(shops)
    assert fleet is not None
    assert set(fleet.reached) == {UNTIL + timedelta(days=12)}
    # Another seed: other answers, not another history.
    forget_days(shops)
    simulate(shops, days=12, seed=99)
    other = stored(shops)
    assert other["events"] != at_once["events"]


def test_the_command_says_what_came_of_it_and_refuses_real_tenants(shops: Connection) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["simulate", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    add_tenants(shops, {"acme": "Acme"})
    shops.commit()
    with pytest.raises(BadInputError, match="acme: only synthetic tenants have simulated"):
        run("acme", SERVED, "--days", "1")
    with pytest.raises(BadInputError, match="acme is not synthetic"):
        revenue_without_lists(shops, "acme", since=UNTIL, until=UNTIL)
    with pytest.raises(BadInputError, match="one of --days N and --as-of DATE"):
        run(SERVED)
    with pytest.raises(BadInputError, match="--as-of soon is no date"):
        run("--as-of", "soon")

    said = run("--days", "2")
    assert "2 days have passed for 3 synthetic tenants, until 2025-08-12" in said
    assert "2 of the tenants showed no lists" in said
    [one] = json.loads(run(SERVED, "--days", "1", "--json"))
    assert one["incremental"] == pytest.approx(one["revenue"] - one["revenue_without"], abs=0.011)
    assert "Nothing to simulate" in run("--as-of", "2025-08-12")


def test_without_synthetic_tenants_there_is_nobody(connection: Connection) -> None:
    with pytest.raises(BadInputError, match="recfleet seed"):
        simulate(connection, days=1)


def test_ways_without_a_database_answer_by_the_same_rules() -> None:
    found = simulation.simulate_outcomes(WORLD, 0, [GOOD], days=14, since=UNTIL)
    assert found.incremental[0] > 0.01 * found.revenue_without.sum()
