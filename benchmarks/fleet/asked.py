"""Demands on the numbers of each of the fleet's benchmarks.

Where possible, they are ratios within one run, because machines are noisy.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks.demands import Demand, at_least, at_most

Kept = dict[str, Any]

TIMES_THE_BARE_LIMIT = 2.5
TIMES_FASTER_THAN_ONE_TASK_EACH = 20
TASK_MB = 500
"""docs/scaling.md reserves this much for each slot of ordinary tenants."""
GIANT_TASK_MB = 2_000
XCOM_BYTES = 10_000
UNEVEN_COST = 1.25
"""The highest cost of a further tenant at any step, as a multiple of the lowest."""
MEMORY_GROWTH = 1.25


def asked(what: str, kept: Kept) -> list[Demand]:
    """The demands on one benchmark's numbers.

    Args:
        what: ``night``, ``growth`` or ``large``.
        kept: its kept numbers.
    """
    return _ASKED[what](kept)


def _night(kept: Kept) -> list[Demand]:
    found = []
    for name in ("first", "following"):
        night, bare = kept[name]["night"], kept[name]["bare_seconds"]
        found += [
            at_most(
                f"{name} night, times the bare limit", night["seconds"] / bare, TIMES_THE_BARE_LIMIT
            ),
            at_most(f"{name} night, largest task", night["peak_mb"], TASK_MB, "MB"),
            at_most(f"{name} night, XCom", night["xcom_bytes"], XCOM_BYTES, "bytes"),
        ]
    each, ours = (
        night["seconds"] / night["tenants"]
        for night in (kept["one_task_each"], kept["following"]["night"])
    )
    name = "times faster a tenant than one task for each"
    return [*found, at_least(name, each / ours, TIMES_FASTER_THAN_ONE_TASK_EACH)]


def _growth(kept: Kept) -> list[Demand]:
    nights = [kept["nights"][size] for size in sorted(kept["nights"], key=int)]
    steps = [
        (more["seconds"] - less["seconds"]) / (more["tenants"] - less["tenants"])
        for less, more in pairwise(nights)
    ]
    uneven = max(steps) / min(steps) if len(steps) > 1 and min(steps) > 0 else float("nan")
    first, last = nights[0], nights[-1]
    name = "dearest step from one size to the next, times the cheapest"
    return [
        at_most(name, uneven, UNEVEN_COST)
        if len(steps) > 1
        else Demand(name, f"at most {UNEVEN_COST}", "fewer than three sizes", met=True),
        at_most(
            "largest task of the largest fleet, times that of the smallest",
            last["peak_mb"] / first["peak_mb"],
            MEMORY_GROWTH,
        ),
        at_most(
            "task instances of the largest fleet, times those of the smallest",
            last["task_instances"] / first["task_instances"],
            1,
        ),
    ]


def _large(kept: Kept) -> list[Demand]:
    shards: dict[int, int] = {}
    for stage in kept["stages"]:
        shards[stage["shard"]] = stage["tenants"]
    giant = max(stage["peak_mb"] for stage in kept["stages"])
    others = [stage["peak_mb"] for stage in kept["stages"] if stage["tenants"] > 1]
    return [
        at_most("largest task of the large tenant", giant, GIANT_TASK_MB, "MB"),
        at_most("largest task of the others", max(others, default=0.0), TASK_MB, "MB"),
        at_least("shards of one tenant", sum(count == 1 for count in shards.values()), 1),
    ]


_ASKED: dict[str, Callable[[Kept], list[Demand]]] = {
    "night": _night,
    "growth": _growth,
    "large": _large,
}
