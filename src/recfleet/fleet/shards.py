"""Packing tenants into shards of equal cost."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

_MILLISECONDS_PER_TENANT = 20.0
_MILLISECONDS_PER_LINE = 0.018
# A night of 60,000 customers and as many products took 149 s, 41 ns for each pair of them. Ranking
# all of them once takes 6 to 8 of these.
_MILLISECONDS_PER_PAIR = 0.00004

MANY_PAIRS = 100_000_000
"""Customers times products from which they count: some 4 s; below, the lines' share covers them."""

# A shard's three tasks cost some twenty-five seconds of processor time before their first line of
# work, most of it imports. More rounds of shards even out wrong estimates, but pay off only if each
# shard has ten times as much to do.
_LEAST_MILLISECONDS = 240_000.0

# A tenant that takes longer would keep others in its shard waiting.
_ALONE_MILLISECONDS = 30_000.0
_MOST_ALONE = 16


def estimate_milliseconds(lines: int, pairs: int = 0) -> float:
    """What a tenant's night costs.

    Args:
        lines: its interactions, which are read, checked and fitted to.
        pairs: its customers times its products, which are ranked; 0 for fewer than ``MANY_PAIRS``.
    """
    of_lines = _MILLISECONDS_PER_TENANT + _MILLISECONDS_PER_LINE * lines
    return of_lines + _MILLISECONDS_PER_PAIR * pairs


def cut_shards(
    costs: Mapping[str, float], *, workers: int, shards_per_worker: int
) -> dict[str, int]:
    """Put every tenant into a shard.

    Each slow tenant has a shard of its own, and these shards come first. The others are packed
    into one shard for each worker, or into several if there is enough to do.

    Args:
        costs: tenant id -> estimated milliseconds.
        workers: how many shard tasks run at once.
        shards_per_worker: maximum of shared shards for each worker.

    Returns:
        Tenant id -> number of its shard, from 0; the same for the same costs.
    """
    alone = sorted(
        (tenant_id for tenant_id, cost in costs.items() if cost > _ALONE_MILLISECONDS),
        key=lambda tenant_id: (-costs[tenant_id], tenant_id),
    )[:_MOST_ALONE]
    others = {tenant_id: cost for tenant_id, cost in costs.items() if tenant_id not in alone}
    rounds = int(sum(others.values()) // (_LEAST_MILLISECONDS * workers))
    # With single-tenant shards beside them, whole rounds would leave a worker idle at the end.
    least = 2 if alone else 1
    rounds = max(least, min(rounds, shards_per_worker))
    packed = pack(others, min(len(others), rounds * workers))
    return {tenant_id: number for number, tenant_id in enumerate(alone)} | {
        tenant_id: len(alone) + shard for tenant_id, shard in packed.items()
    }


def pack(costs: Mapping[str, float], shards: int) -> dict[str, int]:
    """Put each tenant into the cheapest shard so far, the most expensive tenant first.

    The dearest shard is at most 4/3 of the best possible (R. L. Graham, "Bounds on multiprocessing
    timing anomalies", 1969).

    Returns:
        Tenant id -> number of its shard, from 0; the same for the same costs.
    """
    loads = [(0.0, shard) for shard in range(shards)]
    placed = {}
    for tenant_id in sorted(costs, key=lambda tenant_id: (-costs[tenant_id], tenant_id)):
        load, shard = heapq.heappop(loads)
        placed[tenant_id] = shard
        heapq.heappush(loads, (load + costs[tenant_id], shard))
    return placed
