"""Packing tenants into shards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import Connection
from recfleet.fleet.shards import cut_shards, estimate_milliseconds, pack
from recfleet.interactions import count_pairs

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
COSTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.floats(1, 1000), min_size=1, max_size=7
)


def _dearest(costs: dict[str, float], placed: dict[str, int]) -> float:
    loads: dict[int, float] = {}
    for tenant_id, shard in placed.items():
        loads[shard] = loads.get(shard, 0.0) + costs[tenant_id]
    return max(loads.values())


@given(COSTS, st.integers(1, 3))
def test_the_dearest_shard_is_at_most_four_thirds_of_the_best(
    costs: dict[str, float], shards: int
) -> None:
    placed = pack(costs, shards)
    assert set(placed) == set(costs)
    assert set(placed.values()) <= set(range(shards))
    best = min(
        _dearest(costs, dict(zip(costs, choice, strict=True)))
        for choice in product(range(shards), repeat=len(costs))
    )
    assert _dearest(costs, placed) <= best * 4 / 3 + 1e-9


def test_the_largest_goes_first_and_the_packing_is_always_the_same() -> None:
    costs = {"a": 3.0, "b": 9.0, "c": 5.0, "d": 5.0}
    assert pack(costs, 2) == {"b": 0, "c": 1, "d": 1, "a": 0}
    assert pack(dict(reversed(costs.items())), 2) == pack(costs, 2)


@pytest.mark.parametrize(
    ("tenants", "milliseconds", "shards"),
    [
        (0, 1.0, 0),  # an empty night has no shards
        (1, 1.0, 1),  # nor is there one without a tenant
        (24, 100.0, 2),  # little work: one a worker
        (4000, 100.0, 2),
        (20_000, 100.0, 8),  # much work: evened out, a whole number for each worker
        (4000, 10_000.0, 8),  # but bounded
    ],
)
def test_shards_are_as_many_as_are_worth_a_task(
    tenants: int, milliseconds: float, shards: int
) -> None:
    costs = {f"t{number}": milliseconds for number in range(tenants)}
    placed = cut_shards(costs, workers=2, shards_per_worker=4)
    assert set(placed.values()) == set(range(shards))


def test_a_large_tenant_keeps_nobody_waiting() -> None:
    costs = {f"t{number}": 100.0 for number in range(10)} | {"huge": 31_000.0, "vast": 90_000.0}
    placed = cut_shards(costs, workers=2, shards_per_worker=4)
    assert (placed.pop("vast"), placed.pop("huge")) == (0, 1)
    assert set(placed.values()) == {2, 3, 4, 5}


def test_a_tenant_of_few_lines_and_many_pairs_has_a_shard_of_its_own() -> None:
    wide = estimate_milliseconds(120_000, 60_000 * 60_000)
    assert 100_000 < wide < 200_000
    costs = {f"t{number}": estimate_milliseconds(3_500) for number in range(40)} | {"wide": wide}
    placed = cut_shards(costs, workers=2, shards_per_worker=4)
    assert [tenant_id for tenant_id, shard in placed.items() if shard == placed["wide"]] == ["wide"]


@pytest.mark.postgres
def test_pairs_are_counted_where_there_are_many(connection: Connection) -> None:
    with connection.cursor() as cursor:
        for tenant_id, customers, products in (("wide", 400, 300), ("tall", 2, 300)):
            cursor.execute(
                "insert into interaction (tenant_id, occurred_at, line_hash, customer_id, "
                "product_id, quantity, amount) select %s, %s::timestamptz, n, 'c' || n %% %s, "
                "'p' || n %% %s, 1, 1 from generate_series(1, 1200) as n",
                (tenant_id, AS_OF, customers, products),
            )
            cursor.execute(
                "insert into product (tenant_id, product_id) "
                "select %s, 'p' || n from generate_series(1, %s) as n",
                (tenant_id, products),
            )
    lines = {"wide": 1_200, "tall": 1_200, "thin": 5}

    assert count_pairs(connection, lines, AS_OF, above=100_000) == {"wide": 120_000}
    assert count_pairs(connection, lines, AS_OF, above=500_000) == {}
    assert count_pairs(connection, lines, AS_OF - timedelta(1), above=100_000) == {}


def test_however_many_are_large_there_are_few_shards() -> None:
    costs = {f"t{number}": 50_000.0 for number in range(500)}
    placed = cut_shards(costs, workers=2, shards_per_worker=4)
    assert set(placed) == set(costs)
    assert set(placed.values()) == set(range(24))
