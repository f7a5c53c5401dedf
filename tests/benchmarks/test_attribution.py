"""The benchmark of attribution on two small tenants."""

from __future__ import annotations

from benchmarks import attribution
from recfleet.statistics import LEAST_CUSTOMERS


def test_what_is_told_is_set_against_the_truth() -> None:
    tenants = [attribution.looks_at(300, number) for number in (0, 1)]

    assert [look.day for look in tenants[0]] == list(attribution.LOOKS)
    for looks in tenants:
        assert [look.treated for look in looks] == sorted(look.treated for look in looks)
        assert looks[-1].control >= LEAST_CUSTOMERS
        assert looks[-1].covers
        assert 0 < looks[-1].truth < looks[-1].attributed
    assert attribution.table_of(tenants)[2].startswith("| 300 | 2 |")
    assert all(demand.met for demand in attribution.demands(tenants))
