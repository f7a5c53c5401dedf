"""Earlier nights over the same champion are evidence; nights over another champion are not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.fleet.evidence import Standing, read_standings
from recfleet.judging import Evidence
from recfleet.record import Champion, Night, TenantNight
from recfleet.settings import RegistrySettings
from recfleet.tenants import Policy
from tests.nights import START, WEEK, query, run_night, shop

pytestmark = pytest.mark.postgres

AS_OF = START + 12 * WEEK
DAY = timedelta(days=1)
POLICY = Policy()


def write_night(
    connection: Connection,
    days_before: float,
    gain: float = 0.02,
    *,
    against: int | None = 3,
    over: str = "champion",
    tenant_id: str = "steady",
    policy: Policy = POLICY,
    numbers: dict[str, Any] | None = None,
) -> None:
    """A night of the ledger, judged with this gain."""
    numbers = numbers or {
        "gain": {"over": over, "value": gain, "standard_error": 0.01},
        "against": against,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, as_of) select 'night ' || count(*), %s from night "
            "returning night_id",
            (AS_OF - days_before * DAY,),
        )
        row = cursor.fetchone()
        assert row
        cursor.execute(
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "state, numbers) values (%s, %s, 'on', %s, 0, 1, '', 'published', %s)",
            (row[0], tenant_id, policy.model_dump_json(), json.dumps(numbers)),
        )


def write_champion(connection: Connection, night_id: int | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into champion "
            "(tenant_id, role, version, run_id, model_uri, train_end, night_id, promoted_at) "
            "values ('steady', 'champion', 3, 'r', 'file:///m', %s, %s, %s)",
            (AS_OF - 30 * DAY, night_id, AS_OF - 20 * DAY),
        )


def standing(connection: Connection, policy: Policy = POLICY) -> Standing:
    """The standing of one tenant's champion, among two tenants; the other has no champion."""
    rows = [
        TenantNight(tenant_id, "on", policy, None, None, None, None, None)
        for tenant_id in ("steady", "without")
    ]
    champions = {"steady": Champion(3, "r", "file:///m", AS_OF - 30 * DAY)}
    found = read_standings(connection, rows, champions, Night(0, "tonight", AS_OF))
    assert list(found) == ["steady"]
    return found["steady"]


def read(connection: Connection, policy: Policy = POLICY) -> list[Evidence]:
    write_champion(connection, None)
    return list(standing(connection, policy).earlier)


def test_the_days_before_are_read_the_latest_first(connection: Connection) -> None:
    write_night(connection, 2, 0.02)
    write_night(connection, 0.5, 0.03)
    write_night(connection, 6.5, 0.01)
    assert read(connection) == [
        Evidence(0.5, 0.03, 0.01),
        Evidence(2, 0.02, 0.01),
        Evidence(6.5, 0.01, 0.01),
    ]


def test_what_is_no_evidence(connection: Connection) -> None:
    write_night(connection, 1, against=2)  # another champion's
    write_night(connection, 1.1, against=None, over="popularity")
    write_night(connection, 1.2, over="popularity")  # the champion was lost that night
    write_night(connection, 1.3, tenant_id="other")
    write_night(
        connection, 1.4, policy=Policy(recipe=POLICY.recipe.model_copy(update={"alpha": 3}))
    )
    write_night(connection, 1.5, numbers={"against": 3})  # too few customers
    write_night(connection, 7)
    write_night(connection, 0)
    write_night(connection, -1)
    assert read(connection) == []


def test_evidence_of_another_policy_with_the_same_recipe_counts(connection: Connection) -> None:
    write_night(connection, 1, policy=Policy(minimum_gain=0.5))
    assert len(read(connection)) == 1


def test_a_night_that_was_repeated_counts_once_as_it_was_last(connection: Connection) -> None:
    write_night(connection, 1, 0.01)
    write_night(connection, 1, 0.02)
    assert read(connection) == [Evidence(1, 0.02, 0.01)]


def judged(connection: Connection, run_id: str) -> tuple[Any, Any, Any]:
    [row] = query(
        connection,
        "select verdict, reason, numbers from ledger join night using (night_id) where run_id = %s",
        run_id,
    )
    return row[0], row[1], row[2]


@pytest.mark.mlflow
def test_a_week_of_nights_is_pooled_and_a_repeated_night_finds_the_same(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    first = START + 11 * WEEK + DAY
    run_night("first", first)
    with connection.cursor() as cursor:
        cursor.execute("""update tenant set policy = '{"pooled_nights": 3}'""")
    connection.commit()
    for day in (1, 2, 3):
        run_night(f"day {day}", first + day * DAY, {"tenants": ["steady"]})

    _, _, second = judged(connection, "day 2")
    assert "pooled" not in second
    verdict, reason, third = judged(connection, "day 3")
    assert third["against"] == 1
    assert third["pooled"]["nights"] == 3
    gains = [judged(connection, f"day {day}")[2]["gain"]["value"] for day in (1, 2, 3)]
    assert third["pooled"]["value"] == pytest.approx(sum(gains) / 3)

    run_night("day 3 again", first + 3 * DAY, {"tenants": ["steady"]})
    assert judged(connection, "day 3 again") == (verdict, reason, third)


@pytest.mark.mlflow
def test_the_week_of_another_champion_does_not_promote(
    connection: Connection, stack: RegistrySettings
) -> None:
    """The same nights in the ledger promote only if they are of this champion."""
    shop(connection, "steady")
    run_night("first", AS_OF - 7 * DAY)
    for day in (2, 3, 4, 5, 6):
        write_night(connection, day, 0.3, against=9)
    with connection.cursor() as cursor:
        # Tonight's own gain must not hold it back: any gain above zero is enough.
        cursor.execute(
            "update tenant set policy = "
            """'{"minimum_gain": 0.0, "cooldown_days": 0, "confidence": 0.9999999}'"""
        )
    connection.commit()
    shop(connection, "steady", weeks=range(10, 12), shuffled=True, seed=5)
    run_night("another's", AS_OF, {"tenants": ["steady"]})
    verdict, _, numbers = judged(connection, "another's")
    assert verdict == "keep"
    assert "pooled" not in numbers
    assert numbers["gain"]["value"] > 0

    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set numbers = jsonb_set(numbers, '{against}', '1') "
            "where numbers ->> 'against' = '9'"
        )
    connection.commit()
    run_night("this one's", AS_OF, {"tenants": ["steady"]})
    verdict, reason, numbers = judged(connection, "this one's")
    assert numbers["pooled"]["nights"] == 6
    assert verdict == "promote"
    assert "and over 6 nights the challengers' mean error was" in reason


def test_a_champions_days_are_those_of_the_data_not_of_the_clock(connection: Connection) -> None:
    write_night(connection, 9.5)
    with connection.cursor() as cursor:
        cursor.execute("select night_id from night")
        row = cursor.fetchone()
    assert row
    write_champion(connection, row[0])
    assert standing(connection).days == 9.5


def test_a_champion_that_no_night_made_counts_from_when_it_was_made(
    connection: Connection,
) -> None:
    write_champion(connection, None)
    assert standing(connection).days == 20


def test_what_was_found_before_a_rollback_is_no_evidence(connection: Connection) -> None:
    """The champion was judged, then replaced by another, and has been back for four days."""
    write_night(connection, 6, 0.05)
    write_night(connection, 4, 0.04, against=8)
    write_night(connection, 2, 0.01)
    with connection.cursor() as cursor:
        cursor.execute("select night_id from night where as_of = %s", (AS_OF - 4 * DAY,))
        [(back,)] = cursor.fetchall()
    write_champion(connection, back)
    assert list(standing(connection).earlier) == [Evidence(2, 0.01, 0.01)]


def test_evidence_says_which_lists_were_judged(connection: Connection) -> None:
    """Ledgers of older releases say it in their recipes."""
    gain = {"gain": {"over": "champion", "value": 0.02, "standard_error": 0.01}, "against": 3}
    former = POLICY.model_dump(mode="json")
    del former["offers"]
    for days, policy, offers in ((1, former, "both"), (2, {**former, "offers": "auto"}, None)):
        write_night(connection, days, numbers={**gain, **({"offers": offers} if offers else {})})
        with connection.cursor() as cursor:
            cursor.execute(
                "update ledger set policy = %s where night_id = (select max(night_id) from night)",
                (json.dumps(policy),),
            )
    write_night(connection, 3)
    with connection.cursor() as cursor:
        former["recipe"]["repeat_purchases"] = False
        cursor.execute(
            "update ledger set policy = %s where night_id = (select max(night_id) from night)",
            (json.dumps(former),),
        )
    assert [night.offers for night in read(connection)] == ["both", None, "new"]
