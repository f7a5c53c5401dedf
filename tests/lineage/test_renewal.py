"""Each tenant's fit begins anew once in 28 days, and no day has them all."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from recfleet.lineage import RENEWAL_DAYS, last_renewal

DAY = date(2026, 3, 1)


def test_each_tenant_has_its_turn_once_in_28_days() -> None:
    days = [DAY + timedelta(days=number) for number in range(3 * RENEWAL_DAYS)]
    for tenant in ("north", "Ελλάδα", "shop-0007"):
        turns = [day for day in days if last_renewal(tenant, day) == day]
        assert len(turns) == 3
        assert turns[1] - turns[0] == turns[2] - turns[1] == timedelta(days=RENEWAL_DAYS)
        assert last_renewal(tenant, turns[1] + timedelta(days=27)) == turns[1]


def test_no_day_has_more_than_twice_its_share() -> None:
    turns = Counter(last_renewal(f"tenant-{number:05}", DAY) for number in range(2_800))
    assert len(turns) == RENEWAL_DAYS
    assert max(turns.values()) < 200
