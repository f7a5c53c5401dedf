"""``python -m benchmarks.same_nights OLD NEW``: whether two checkouts' nights are the same.

Both seed the same fleet, in a Postgres of their own, and run the same nights, backfills and
decisions of people (see ``story.py``). Then their tables, views, MLflow records and model files are
compared to the last digit. Random ids, wall-clock times and costs are not compared, and with
``--words`` sentences are not either. The exit code is 1 when anything differs.

``--seconds TENANTS`` times nights of so many tenants instead, both sides in turn. The exit code is
1 when the new side takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks._home import machine
from benchmarks.same_nights.compare import compare
from benchmarks.same_nights.side import Side, running_side

_SHOWN = 20
_FIRST_NIGHT = datetime(2025, 12, 28, tzinfo=UTC)
LONGER = 1.05
"""The new side's nights may take this many times as long as the old side's, because of noise."""


def main() -> int:
    """Compare or time the two sides; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_nights", description=__doc__)
    parser.add_argument("old", type=Path, metavar="OLD", help="a checkout")
    parser.add_argument("new", type=Path, metavar="NEW", help="another one")
    parser.add_argument("--words", action="store_true", help="leave sentences aside")
    parser.add_argument(
        "--retail", type=Path, default=_retail(), help="the UCI Online Retail file, for more nights"
    )
    parser.add_argument(
        "--home", type=Path, help="folder to keep; nights that are there are not run again"
    )
    parser.add_argument("--seconds", type=int, metavar="TENANTS", help="time nights instead")
    parser.add_argument("--nights", type=int, default=4, help="to be timed, besides the first")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end what was started
    if options.retail and not options.retail.is_file():
        parser.error(f"there is no file {options.retail}")
    homes = [options.home and options.home / name for name in ("old", "new")]
    with (
        running_side("old", options.old, homes[0]) as old,
        running_side("new", options.new, homes[1]) as new,
    ):
        if options.seconds:
            return _time(old, new, options.seconds, options.nights)
        return _compare(old, new, options.retail, but_words=options.words)


def _retail() -> Path | None:
    beside = Path(__file__).parents[3] / "shared/data/online-retail/online_retail.csv.gz"
    path = Path(os.environ.get("RECFLEET_ONLINE_RETAIL", beside))
    return path if path.exists() else None


def _compare(old: Side, new: Side, retail: Path | None, *, but_words: bool) -> int:
    words = {"retail": str(retail.resolve())} if retail else {}
    begun = [(side, side.begin("story", **words)) for side in (old, new) if not side.done.exists()]
    try:
        for side, process in begun:
            side.end(process)
            side.done.touch()
    finally:
        for _, process in begun:
            process.kill()
    comparison = compare(old, new, but_words=but_words)
    print("| compared | rows |\n| --- | --- |")
    for table, rows in comparison.rows.items():
        print(f"| {table} | {rows:,} |")
    outcomes = ", ".join(f"{count} {what}" for what, count in comparison.outcomes.most_common())
    print(f"\nTenants' nights: {outcomes}")
    differences = comparison.differences
    for difference in differences[:_SHOWN]:
        print(f"\n{difference.table}: {difference.sentence}")
    total = sum(comparison.rows.values())
    print(f"\n{total:,} rows compared, {len(differences):,} differences.")
    return 1 if differences else 0


def _time(old: Side, new: Side, tenants: int, nights: int) -> int:
    print(f"{tenants:,} tenants; {machine()}\n")
    end = _FIRST_NIGHT + timedelta(days=nights)
    for side in (old, new):
        side.end(side.begin("seed", tenants=str(tenants), until=f"{end:%Y-%m-%dT00:00:00+00:00}"))
    spent: dict[str, dict[str, float]] = {
        name: {"seconds": 0.0, "processor": 0.0} for name in ("old", "new")
    }
    print("| night | old, s | new, s |\n| --- | --- | --- |")
    for number in range(nights + 1):
        as_of = _FIRST_NIGHT + timedelta(days=number)
        row = {}
        for side in (old, new) if number % 2 else (new, old):
            words = {"run_id": f"night {number}", "as_of": as_of.isoformat()}
            took = json.loads(side.end(side.begin("night", **words)))
            row[side.name] = took["seconds"]
            for what, value in took.items():
                spent[side.name][what] += value
        print(f"| {as_of:%Y-%m-%d} | {row['old']:.1f} | {row['new']:.1f} |", flush=True)
    ratios = {what: spent["new"][what] / spent["old"][what] for what in spent["old"]}
    print(
        f"\nThe new side takes {ratios['seconds']:.3f} times as long, and "
        f"{ratios['processor']:.3f} times the processor; at most {LONGER} times are asked for."
    )
    return 0 if min(ratios.values()) <= LONGER else 1


if __name__ == "__main__":
    sys.exit(main())
