"""Synthetic fleets, whose broken tenants and dates are known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from recfleet.database import Connection
from recfleet.quality import Validation, validate
from recfleet.synthetic import (
    DEMO_TENANTS,
    DEMO_UNTIL,
    TROUBLES,
    UNTIL,
    Trouble,
    World,
    demo_world,
    fleet_truth,
    seed,
)
from tests.quality.shops import SUITES

pytestmark = pytest.mark.postgres

SENTENCE: dict[Trouble, str] = {
    "missing customers": "lines without a customer",
    "future dates": "a time in the future",
    "wrong types": "a time or a number that cannot be read",
    "duplicated days": "repeat another one exactly",
    "prices of zero": "sell for nothing",
    "fall in volume": "as many visits as the usual week",
}


def _judge(connection: Connection, world: World, tenants: int, day: date) -> Validation:
    ids = [traits.tenant_id for traits in fleet_truth(world, tenants)]
    as_of = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return validate(connection, ids, as_of, SUITES)


def _broken(world: World, tenants: int, day: date) -> dict[str, Trouble]:
    """The tenants that are broken on some day before that one."""
    return {
        traits.tenant_id: traits.trouble
        for traits in fleet_truth(world, tenants)
        if traits.trouble and traits.trouble_day and traits.trouble_day < day
    }


@pytest.mark.parametrize("weeks_before", [3, 2, 0])
def test_the_demo_quarantines_the_broken_and_nobody_else(
    demo: Connection, weeks_before: int
) -> None:
    day = DEMO_UNTIL - timedelta(weeks=weeks_before)
    broken = _broken(demo_world(), DEMO_TENANTS, day)

    validation = _judge(demo, demo_world(), DEMO_TENANTS, day)

    assert validation.critical.keys() == broken.keys()
    for tenant_id, trouble in broken.items():
        assert SENTENCE[trouble] in validation.critical[tenant_id]


@pytest.fixture
def demo(connection: Connection) -> Connection:
    seed(connection, demo_world(), tenants=DEMO_TENANTS, until=DEMO_UNTIL)
    return connection


WORLD = World(seed=11, broken=0.5, broken_from_week=24, median_size=1_500)
TENANTS = 48


@pytest.mark.slow
def test_every_trouble_is_seen_by_the_end_of_its_first_week_and_for_three(
    connection: Connection,
) -> None:
    seed(connection, WORLD, tenants=TENANTS, until=UNTIL + timedelta(weeks=1))
    for weeks in range(-5, 2):
        day = UNTIL + timedelta(weeks=weeks)
        broken = _broken(WORLD, TENANTS, day)

        validation = _judge(connection, WORLD, TENANTS, day)

        assert validation.critical.keys() == broken.keys(), day
        for tenant_id, trouble in broken.items():
            assert SENTENCE[trouble] in validation.critical[tenant_id]
    assert set(broken.values()) == set(TROUBLES)


@pytest.mark.slow
def test_troubles_are_told_from_the_first_day_where_a_day_says_enough(
    connection: Connection,
) -> None:
    world = WORLD.model_copy(update={"broken_smallest": 20_000, "broken": 0.2})
    seed(connection, world, tenants=12, until=UNTIL)
    told_at_once = {"future dates", "wrong types", "duplicated days"}
    for days in range(-14, 1):
        day = UNTIL + timedelta(days=days)
        broken = _broken(world, 12, day)

        critical = _judge(connection, world, 12, day).critical

        assert critical.keys() <= broken.keys(), day
        at_once = {name for name, trouble in broken.items() if trouble in told_at_once}
        assert at_once <= critical.keys(), day
    assert told_at_once & set(broken.values())
