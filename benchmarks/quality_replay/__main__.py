"""How often the quality checks quarantine sound shops, and how often they see faults.

``make bench-quality`` replays twelve weekly nights of the checks over real shops, with no setting
touched: the purchases are as they are, so every quarantine is a false one. Then it puts one fault
after another into the last week of every shop with enough lines to judge. The exit code is 1 when
more than 1% of the sound tenants' nights are quarantined.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

from benchmarks._home import bench_home, machine, point_settings
from benchmarks.demands import Demand, at_most, conclude
from benchmarks.quality_replay.faults import FAULTS, break_shops
from benchmarks.quality_replay.stores import (
    COUNTERS,
    RETAIL,
    STORES,
    Shops,
    shops_at,
    write_retail,
    write_stores,
)
from recfleet.database import Connection, connect, migrate
from recfleet.quality import Validation, load_library, validate
from recfleet.settings import database_settings, suites_folder

MOST_QUARANTINED = 0.01
FAULT_NIGHT = -4
"""Place of the night that sees the faults; Christmas is not in its last week."""
LEAST_LINES = 20
"""Fewest lines in the last week of a shop whose fault should be seen."""


def main() -> int:
    """Print the tables; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("retail", type=Path, help="the UCI Online Retail file")
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--reasons", action="store_true", help="print why shops are quarantined")
    options = parser.parse_args()
    with bench_home(options.home) as (home, server):
        is_new = not (home / "read").exists()
        point_settings(home, server, {})
        if is_new:
            server.create_database("recfleet")
        migrate(database_settings().database_url)
        with closing(connect(database_settings().database_url)) as connection:
            if is_new:
                write_retail(connection, options.retail)
                write_stores(connection)
                (home / "read").touch()
            load_library()
            print(
                f"{machine()}\n\n| shops | nights of a shop | quarantined | "
                "warned |\n|---|---|---|---|"
            )
            demands = [
                _replay(connection, shops, reasons=options.reasons)
                for shops in (RETAIL, STORES, COUNTERS)
            ]
            _tell_faults(connection)
    return conclude(demands)


def _replay(connection: Connection, shops: Shops, *, reasons: bool) -> Demand:
    nights, quarantined, warned = 0, 0, 0
    why: Counter[str] = Counter()
    started = time.perf_counter()
    for as_of in shops.nights():
        validation = _validate(connection, shops_at(connection, shops, as_of, weeks=4), as_of)
        nights += validation.tenants
        quarantined += len(validation.critical)
        warned += len(validation.warnings.keys() - validation.critical.keys())
        why.update(_without_numbers(said) for said in validation.critical.values())
    share = quarantined / nights
    print(
        f"| {shops.name} | {nights:,} | {quarantined} ({share:.2%}) | {warned / nights:.1%} |",
        flush=True,
    )
    if reasons:
        print(*(f"  {count} × {said}" for said, count in why.most_common()), sep="\n")
        print(f"  {time.perf_counter() - started:.1f} s", validation.seconds)
    return at_most(f"{shops.name}: nights quarantined", 100 * share, 100 * MOST_QUARANTINED, "%")


def _validate(connection: Connection, tenant_ids: list[str], as_of: datetime) -> Validation:
    return validate(connection, tenant_ids, as_of, suites_folder())


def _without_numbers(said: str) -> str:
    return re.sub(r"[\d.,]+%?", "#", said)


def _tell_faults(connection: Connection) -> None:
    """Print how many of the broken shops are quarantined."""
    kinds = (RETAIL, STORES, COUNTERS)
    print("\n| fault of the last week |" + "".join(f" {shops.name} |" for shops in kinds))
    print("|---|" + "---|" * len(kinds))
    for fault in ("none", *FAULTS):
        cells = [_caught(connection, shops, fault) for shops in kinds]
        print(f"| {fault} | " + " | ".join(cells) + " |", flush=True)


def _caught(connection: Connection, shops: Shops, fault: str) -> str:
    as_of = shops.nights()[FAULT_NIGHT]
    judged = shops_at(connection, shops, as_of, weeks=1, least=LEAST_LINES)
    if fault != "none":
        break_shops(connection, fault, judged, as_of)
    validation = _validate(connection, judged, as_of)
    connection.rollback()
    return f"{len(validation.critical)} of {len(judged)}"


if __name__ == "__main__":
    sys.exit(main())
