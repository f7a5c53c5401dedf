"""The demo's fleet has what its three nights promise."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from recfleet.synthetic import DEMO_TENANTS, DEMO_UNTIL, TROUBLES, demo_world, fleet_truth


def test_every_kind_of_tenant_is_in_the_demo() -> None:
    world = demo_world()
    fleet = fleet_truth(world, DEMO_TENANTS)
    assert Counter(tenant.trouble for tenant in fleet if tenant.trouble) == Counter(TROUBLES)
    assert sum(tenant.thin for tenant in fleet) == 2
    assert sum(tenant.drifts for tenant in fleet) == 5
    assert all(1500 <= tenant.size <= 15_000 for tenant in fleet if not tenant.thin)
    assert sum(tenant.size for tenant in fleet) < 200_000


def test_the_first_night_finds_nothing_broken_the_second_half_of_it_and_the_third_all() -> None:
    fleet = fleet_truth(demo_world(), DEMO_TENANTS)
    broken = [tenant.trouble_day for tenant in fleet if tenant.trouble_day is not None]
    nights = [DEMO_UNTIL - timedelta(weeks=weeks) for weeks in (2, 1, 0)]
    assert [sum(day < night for day in broken) for night in nights] == [0, 3, 6]


def test_tastes_change_after_the_first_nights_models_were_trained_or_shortly_before() -> None:
    world = demo_world()
    trained = DEMO_UNTIL - timedelta(weeks=4)
    for tenant in fleet_truth(world, DEMO_TENANTS):
        for day in tenant.drift_days(world, DEMO_UNTIL):
            assert timedelta(weeks=1) <= trained - day <= timedelta(weeks=2)
