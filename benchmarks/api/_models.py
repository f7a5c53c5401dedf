"""Models: the first answer of one that is not in memory, and what many take there."""

from __future__ import annotations

import asyncio
import random
import time

import numpy as np

from benchmarks.api._callers import Line, basket_request, ready
from benchmarks.api._world import World, service
from benchmarks.demands import Demand, at_most, none_of

MOST_COLD_MS, MOST_MB = 100.0, 300.0


def models(world: World) -> list[Demand]:
    """Ask each tenant that has a key for one basket; none of their models is in memory."""
    return asyncio.run(_models(world))


async def _models(world: World) -> list[Demand]:
    draw, cold, wrong = random.Random(3), [], []
    with service(world) as served:
        await ready(served.port)
        before = served.process.memory_info().rss
        line = await Line.open(served.port)
        for tenant_id in world.keys:
            begin = time.perf_counter()
            status, body = await line.ask(basket_request(world, tenant_id, draw))
            cold.append((time.perf_counter() - begin) * 1000)
            if status != 200 or b'"served_by":"model"' not in body:
                wrong.append(f"{status} {body[:100]!r}")
        grown = (served.process.memory_info().rss - before) / 1e6
        _, told = await line.ask(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        [kept] = [float(row.split()[1]) for row in told.decode().splitlines()
                  if row.startswith("recfleet_api_models ")]  # fmt: skip
    p50, p99 = np.percentile(cold, [50, 99])
    print(f"{len(cold)} cold models: p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)
    if kept != len(cold):
        wrong.append(f"{kept:.0f} models in memory")
    return [
        at_most("first answer of a cold model, the slowest", max(cold), MOST_COLD_MS, "ms"),
        at_most(f"memory of {len(cold)} models", grown, MOST_MB, "MB"),
        none_of("wrong answers among them", wrong[:3]),
    ]
