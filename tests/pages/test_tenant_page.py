"""What the Tenant page draws and says of a tenant's nights, its data and its history."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.nights import START
from tests.pages.conftest import Visit
from tests.pages.test_fleet import DAY, Fleet

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)


@pytest.fixture
def fleet(connection: Connection) -> Fleet:
    return Fleet(connection)


def chart(page: str, name: str) -> dict[str, Any]:
    """What a page hands to the chart library."""
    found = re.search(rf'id="chart-{name}">([^<]*)<', page)
    assert found is not None
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


def section(page: str, name: str) -> str:
    """The words of a section of a page."""
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split())


def judged(fleet: Fleet, night: int, rmse: float, outcome: str = "kept") -> None:
    """Tenant ``a`` was judged in a night."""
    fleet.outcome(night, "a", outcome)
    numbers = {"contenders": {one: {"rmse": rmse} for one in ("champion", "popularity")}}
    fleet.run("update ledger set numbers = %s where night_id = %s", json.dumps(numbers), night)


def expectation(fleet: Fleet, night: int, name: str, *, success: bool) -> None:
    """Its data was looked at in a night."""
    fleet.run(
        "insert into quality_result values (%s, 'a', %s, 'critical', %s, 0.5, 'at most 5%%', null)",
        night,
        name,
        success,
    )


def test_a_trial_hides_no_failure_of_the_last_real_night(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    real, trial = fleet.night(3), fleet.night(1, "backfill", is_trial=True)
    fleet.outcome(real, "a", "quarantined")
    expectation(fleet, real, "few-lines-without-customer", success=False)
    expectation(fleet, trial, "few-lines-without-customer", success=True)

    said = section(visit().get("/tenants/a").text, "quality")

    assert f"Of night {real}" in said
    assert "1 of 1" in said


def test_trials_are_no_points_of_the_lines(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    for day, rmse in enumerate([0.5, 0.4, 0.3]):
        judged(fleet, fleet.night(day), rmse)
    for day in (0, 1):
        judged(fleet, fleet.night(day, "backfill", is_trial=True), 0.9, "backfilled")
    # Judged again as of the same time: the newest counts.
    judged(fleet, fleet.night(2), 0.2)

    drawn = chart(visit().get("/tenants/a").text, "rmse")

    assert drawn["x"] == [(START + day * DAY).timestamp() for day in range(3)]
    assert drawn["series"][0]["values"] == [0.5, 0.4, 0.2]


def test_a_long_backfill_crowds_no_real_night_out(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    judged(fleet, fleet.night(0), 0.5)
    fleet.run(
        "with made as (insert into night (run_id, as_of, kind, is_trial, backfill) select n::text, "
        "now(), 'backfill', true, 'run' from generate_series(1, 130) as n returning night_id) "
        "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, state, "
        "outcome) select night_id, 'a', 'on', '{}', 0, 1, 'b', 'published', 'backfilled' from made"
    )
    assert chart(visit().get("/tenants/a").text, "rmse")["series"][0]["values"] == [0.5]


def test_marks_stand_where_the_nights_stand(fleet: Fleet, visit: Visit) -> None:
    """Nights of back then, run now: what a person did between them is drawn between them."""
    fleet.tenant("a", mode="frozen")
    nights = [fleet.night(day) for day in (0, 1, 2, 3)]
    for place, night in enumerate(nights):
        fleet.run(
            "update night set started_at = %s where night_id = %s",
            START + 300 * DAY + place * HOUR,
            night,
        )
    judged(fleet, nights[0], 0.5)
    judged(fleet, nights[1], 0.4)
    done: list[tuple[str, int | None, int | None, float, dict[str, str]]] = [
        ("policy", None, None, 0.1, {}),
        ("rollback", 1, nights[1], 1.1, {}),
        ("mode", None, None, 1.5, {"from": "on", "to": "off"}),
        ("mode", None, None, 2.5, {"from": "off", "to": "on"}),
        ("mode", None, None, 40, {"from": "on", "to": "frozen"}),
    ]
    for kind, version, made_in, at, facts in done:
        fleet.run(
            "insert into audit (happened_at, tenant_id, kind, from_version, to_version, night_id, "
            "facts, actor, reason) values (%s, 'a', %s, null, %s, %s, %s, 'anna', 'why')",
            START + 300 * DAY + at * HOUR,
            kind,
            version,
            made_in,
            json.dumps(facts),
        )

    marks = chart(visit().get("/tenants/a").text, "rmse")["marks"]

    places = {mark["label"]: mark["x"] - START.timestamp() for mark in marks}
    half, day = HOUR.total_seconds() / 2, DAY.total_seconds()
    assert places == {
        "rolled back to v1": day,
        "switched off": day + half,
        "switched on": 2 * day + half,
        "frozen": 3 * day + 37 * 2 * half,
    }
