"""Packing tenants into shards of equal cost."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

_MILLISECONDS_PER_TENANT = 40.0
_MILLISECONDS_PER_LINE = 0.02
# A shard's four tasks cost some fifteen seconds before their first line of work, most of it
# imports: shards beyond one a worker even out what was estimated wrongly, and are worth it only
# where they have several times as much to do.
_LEAST_MILLISECONDS = 60_000.0


def estimate_milliseconds(lines: int) -> float:
    """What a tenant's night costs, from the number of its interactions."""
    return _MILLISECONDS_PER_TENANT + _MILLISECONDS_PER_LINE * lines


def count_shards(costs: Mapping[str, float], *, workers: int, shards_per_worker: int) -> int:
    """How many shards: one a worker at least, more only where each has enough to do.

    Args:
        costs: tenant id -> estimated milliseconds.
        workers: shard tasks that run at once.
        shards_per_worker: at most so many for each of them.
    """
    worthwhile = int(sum(costs.values()) // _LEAST_MILLISECONDS)
    return min(len(costs), max(workers, min(worthwhile, workers * shards_per_worker)))


def pack(costs: Mapping[str, float], shards: int) -> dict[str, int]:
    """Put each tenant into the shard that has least so far, the largest tenant first.

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
