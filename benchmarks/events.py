"""How long a million events of files take, in one process.

``make bench-events`` writes a file of JSON lines and one of CSV with the same number of events,
reads both into Postgres with the tables, indexes and checks of the product, and reads the first a
second time, which changes nothing. The exit code is 1 when a load takes longer or more memory than
is asked.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil

from benchmarks._home import bench_home, machine
from benchmarks.demands import Demand, at_least, at_most, conclude
from recfleet.answer_ids import make_answer_id
from recfleet.database import connect, migrate, transaction
from recfleet.feedback import load_events
from recfleet.tenants import add_tenants

SECONDS = 60.0
"""For a million events."""
MEGABYTES = 300.0
_COLUMNS = (
    "id", "kind", "product", "customer", "answer", "position", "happened_at", "quantity", "amount",
)  # fmt: skip


def main() -> int:
    """Load, and print what it took; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(prog="make bench-events", description=__doc__)
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--events", type=int, default=1_000_000, help="of each file")
    options = parser.parse_args()
    with bench_home(options.home) as (home, server):
        server.create_database("recfleet")
        migrate(server.url("recfleet"))
        first, second = home / "events.jsonl", home / "events.csv"
        with first.open("w") as lines:
            for one in _events(options.events, "a"):
                print(json.dumps(one), file=lines)
        with second.open("w", newline="") as cells:
            writer = csv.DictWriter(cells, _COLUMNS)
            writer.writeheader()
            writer.writerows(_events(options.events, "b"))
        print(f"{machine()}\n\n| | seconds | a second | processor | of Postgres |")
        print("|---|---|---|---|---|", flush=True)
        demands: list[Demand] = []
        with closing(connect(server.url("recfleet"))) as connection:
            with transaction(connection):
                add_tenants(connection, {"acme": "Acme"})
            for what, path in (("JSON lines", first), ("CSV", second), ("once more", first)):
                backend = psutil.Process(connection.info.backend_pid)
                begun, own, its = time.perf_counter(), time.process_time(), _spent(backend)
                tally = load_events(connection, "acme", path)
                seconds = time.perf_counter() - begun
                own, its = time.process_time() - own, _spent(backend) - its
                count = tally.repeated if what == "once more" else tally.stored
                rate = f"{count / seconds:,.0f}"
                print(f"| {what} | {seconds:.1f} | {rate} | {own:.1f} | {its:.1f} |", flush=True)
                asked = SECONDS * options.events / 1_000_000
                demands.append(at_most(f"seconds, {what}", seconds, asked))
                demands.append(at_least(f"events, {what}", count, options.events))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
        demands.append(at_most("MB of the loading process", peak, MEGABYTES))
    return conclude(demands)


def _spent(process: psutil.Process) -> float:
    """Seconds of the processors."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _events(count: int, name: str) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(7)
    now = datetime.now(UTC)
    kinds = rng.choice(
        ["shown", "accepted", "rejected", "bought"], count, p=[0.9, 0.06, 0.03, 0.01]
    )
    for number, (kind, customer, product) in enumerate(
        zip(kinds, rng.integers(0, 20_000, count), rng.integers(0, 2_000, count), strict=True)
    ):
        is_bought = kind == "bought"
        yield {
            "id": f"{name}-{number}",
            "kind": str(kind),
            "product": f"product-{product}",
            "customer": f"customer-{customer}",
            "answer": make_answer_id(42),
            "position": number % 10 + 1,
            "happened_at": (now + timedelta(seconds=1)).isoformat(),
            "quantity": 1.0 if is_bought else None,
            "amount": 9.5 if is_bought else None,
        }


if __name__ == "__main__":
    sys.exit(main())
