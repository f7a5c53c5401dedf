"""How fast lists are answered, over SQL and over HTTP.

``make bench-api`` fills a database of its own with 4,000 tenants of 184 lists, twice. It compares
what belongs together in one run, in turns; PARTS names some of its parts:

- sql: a look-up by ``live_list`` with a query of the bare row by its key, without prepared
  statements;
- peak: one process of the HTTP service with an ASGI application that does nothing: lists from
  Postgres, and from memory;
- lists: 500 requests a second at a fixed rate, each timed from the moment at which it was due,
  while a release of every tenant is switched underneath;
- baskets: products in, recommendations out, at 100 a second over 200 tenants with models in memory;
- models: the first answers of 500 models, and the memory that they take.

Generator, service and Postgres share the machine. The exit code is 1 when a number is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks._home import bench_home, machine
from benchmarks.api._callers import Timed, at_rate, peak, ready
from benchmarks.api._models import models
from benchmarks.api._sql import by_sql
from benchmarks.api._world import LENGTH, World, nothing, prepare, service
from benchmarks.demands import Demand, at_least, at_most, conclude, none_of

LEAST_FROM_POSTGRES, LEAST_FROM_MEMORY = 0.28, 0.65
MOST_P50_MS, MOST_P99_MS = 2.0, 8.0
MOST_BASKET_P50_MS, MOST_BASKET_P99_MS = 2.0, 10.0
_TURNS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.api", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--tenants", type=int, default=4_000)
    parser.add_argument("--customers", type=int, default=184, help="of each tenant")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument(
        "--beside", type=Path, help="the folder src of another version, measured in turns with this"
    )
    given = parser.parse_args(arguments)
    print(machine(), flush=True)
    with bench_home(None) as (home, server):
        world = prepare(home, server, given.tenants, given.customers)
        print(f"{given.tenants * given.customers:,} lists of {LENGTH} are live", flush=True)
        demands: list[Demand] = []
        for part in given.parts:
            demands += PARTS[part](world, given.seconds, given.beside)
    return conclude(demands)


def _peaks(world: World, seconds: float, beside: Path | None) -> list[Demand]:
    return asyncio.run(_peaks_of(world, seconds, beside))


async def _peaks_of(world: World, seconds: float, beside: Path | None) -> list[Demand]:
    one = next(iter(world.keys))
    peaks: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    with ExitStack() as stack:
        idle, this = stack.enter_context(nothing()), stack.enter_context(service(world))
        ways = [
            ("nothing", idle, world.draw),
            ("Postgres", this, lambda draw: (one, f"x{draw.random()}")),
            ("memory", this, lambda draw: (one, f"c{draw.randint(1, 20)}")),
        ]
        if beside:
            other = stack.enter_context(service(world, beside))
            ways += [(f"{name} beside", other, pick) for name, _, pick in ways[1:]]
        for port in {served.port for _, served, _ in ways}:
            await ready(port)
        for _ in range(_TURNS):
            for name, served, pick in ways:
                begin = sum(served.process.cpu_times()[:2])
                rate = await peak(world, served.port, pick, seconds / 8)
                spent = sum(served.process.cpu_times()[:2]) - begin
                peaks.setdefault(name, []).append(rate)
                costs.setdefault(name, []).append(spent / (rate * seconds / 8) * 1e6)
    found = {name: statistics.median(rates) for name, rates in peaks.items()}
    for name, rate in found.items():
        share, cost = rate / found["nothing"], statistics.median(costs[name])
        print(
            f"peak of one process, {name}: {rate:,.0f} a second ({share:.2f}), "
            f"{cost:.0f} us of the processor each",
            flush=True,
        )
    return [
        at_least("lists from Postgres, over doing nothing", found["Postgres"] / found["nothing"],
                 LEAST_FROM_POSTGRES),
        at_least("lists from memory, over doing nothing", found["memory"] / found["nothing"],
                 LEAST_FROM_MEMORY),
    ]  # fmt: skip


def _lists(world: World, seconds: float, beside: Path | None) -> list[Demand]:
    found = asyncio.run(_in_turns(world, 500, seconds, beside, baskets=False))
    return [
        at_most("lists at 500 a second, p50", found.percentile(50), MOST_P50_MS, "ms"),
        at_most("lists at 500 a second, p99", found.percentile(99), MOST_P99_MS, "ms"),
        none_of("wrong lists among them", found.wrong[:3]),
    ]


def _baskets(world: World, seconds: float, beside: Path | None) -> list[Demand]:
    found = asyncio.run(_in_turns(world, 100, seconds, beside, baskets=True))
    return [
        at_most("baskets at 100 a second, p50", found.percentile(50), MOST_BASKET_P50_MS, "ms"),
        at_most("baskets at 100 a second, p99", found.percentile(99), MOST_BASKET_P99_MS, "ms"),
        none_of("wrong baskets among them", found.wrong[:3]),
    ]


async def _in_turns(
    world: World, rate: float, seconds: float, beside: Path | None, *, baskets: bool
) -> Timed:
    """What came of this version; another one beside it is only shown."""
    found: dict[str, Timed] = {}
    with ExitStack() as stack:
        sides = {"this version": stack.enter_context(service(world))}
        if beside:
            sides["beside"] = stack.enter_context(service(world, beside))
        for served in sides.values():
            await ready(served.port)
            # A service that has run for a while has ten thousand lists in memory.
            await peak(world, served.port, world.draw, seconds / 4)
        for _ in range(2 if beside else 1):
            for name, served in sides.items():
                timed = await at_rate(
                    world, served.port, rate, seconds, switching=not baskets, baskets=baskets
                )
                every = found.setdefault(name, Timed())
                every.milliseconds += timed.milliseconds
                every.wrong += timed.wrong
    for name, timed in found.items():
        told = ", ".join(f"p{share:g} {timed.percentile(share):.1f} ms" for share in _SHARES)
        print(f"{'baskets' if baskets else 'lists'} of {name}: {told}", flush=True)
    return found["this version"]


_SHARES = (50, 90, 99, 99.9)
PARTS: dict[str, Callable[[World, float, Path | None], list[Demand]]] = {
    "sql": lambda world, seconds, _: [by_sql(world, seconds)],
    "peak": _peaks,
    "lists": _lists,
    "baskets": _baskets,
    "models": lambda world, *_: models(world),
}


if __name__ == "__main__":
    sys.exit(main())
