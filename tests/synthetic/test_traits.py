"""The numbers of tenants by kind, and their sizes."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pytest
from pydantic import ValidationError

from recfleet.synthetic import TROUBLES, World, fleet_truth
from recfleet.tenants import check_tenant_id

WORLD = World(seed=7)


@pytest.mark.parametrize(("seed", "tenants"), [(0, 24), (123, 24), (123, 400), (7, 2000)])
def test_shares_are_as_stated(seed: int, tenants: int) -> None:
    fleet = fleet_truth(World(seed=seed), tenants)
    assert sum(tenant.thin for tenant in fleet) == pytest.approx(0.02 * tenants, abs=2)
    assert sum(tenant.trouble is not None for tenant in fleet) == pytest.approx(
        0.03 * tenants, abs=2
    )
    assert sum(tenant.drifts for tenant in fleet) == pytest.approx(0.1 * tenants, abs=2)
    assert not any(tenant.thin and tenant.trouble for tenant in fleet)
    assert not any(tenant.drifts and (tenant.thin or tenant.trouble) for tenant in fleet)


def test_every_trouble_is_as_frequent_as_the_others() -> None:
    troubles = Counter(tenant.trouble for tenant in fleet_truth(WORLD, 4000) if tenant.trouble)
    assert set(troubles) == set(TROUBLES)
    assert max(troubles.values()) - min(troubles.values()) <= 3


def test_a_tenant_is_the_same_whatever_the_number_of_tenants() -> None:
    assert fleet_truth(WORLD, 50) == fleet_truth(WORLD, 300)[:50]


def test_sizes_are_log_normal() -> None:
    sizes = np.array([tenant.size for tenant in fleet_truth(WORLD, 4000)])
    assert np.median(sizes) == pytest.approx(2000, rel=0.05)
    assert sizes.min() >= 50
    assert sizes.max() <= 500_000
    assert sizes.sum() == pytest.approx(13.5e6, rel=0.1)
    assert np.log(sizes).std() == pytest.approx(1.1, rel=0.05)
    # A normal distribution: the same share within one and two deviations.
    z = np.log(sizes / 2000) / 1.1
    assert np.mean(np.abs(z) < 1) == pytest.approx(0.683, abs=0.03)
    assert np.mean(np.abs(z) < 2) == pytest.approx(0.954, abs=0.015)


def test_broken_tenants_break_in_the_last_week_and_are_large_enough_to_tell() -> None:
    for tenant in fleet_truth(WORLD, 2000):
        if tenant.trouble is None:
            assert tenant.trouble_day is None
        else:
            assert tenant.trouble_day in {date(2025, 12, 21), date(2025, 12, 22)}
            assert tenant.size >= 2000


def test_thin_tenants_have_few_customers() -> None:
    fleet = fleet_truth(WORLD, 2000)
    assert all(tenant.customers < 16 for tenant in fleet if tenant.thin)
    assert all(tenant.customers >= 45 for tenant in fleet if not tenant.thin)


def test_drifting_tenants_change_every_season() -> None:
    fleet = [tenant for tenant in fleet_truth(WORLD, 1500) if tenant.drifts]
    assert {tenant.drift_weeks for tenant in fleet} == {(week, 13) for week in range(6, 19)}
    early = next(tenant for tenant in fleet if tenant.drift_weeks == (6, 13))
    assert early.drift_days(WORLD, date(2025, 12, 28)) == [date(2025, 8, 10), date(2025, 11, 9)]
    assert early.drift_days(WORLD, date(2025, 8, 10)) == []


def test_ids_are_slugs_and_differ() -> None:
    fleet = fleet_truth(WORLD, 4000)
    assert len({check_tenant_id(tenant.tenant_id) for tenant in fleet}) == 4000


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 1, "thin": 0.5, "broken": 0.4, "drift": 0.2},
        {"seed": 1, "smallest": 100, "largest": 99},
        {"seed": 1, "colour": "green"},
    ],
)
def test_a_world_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        World.model_validate(wrong)
