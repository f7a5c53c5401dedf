"""Measure what tenants are served on the purchases that came after, or learn the shipped weights.

    python -m benchmarks.served                # measures, writes docs/served.md
    python -m benchmarks.served --every 8      # every eighth store only, printed
    python -m benchmarks.served --redraw       # measures nothing
    python -m benchmarks.served --ship         # measures, and writes the weights that ship as well
    python -m benchmarks.served --cases FOLDER # keeps what is slow to make, or uses it again

It needs the file of UCI Online Retail, from RECFLEET_ONLINE_RETAIL or ../shared. Exits with 1 when
a demand is not met.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.demands import conclude, demand_table
from benchmarks.marks import write_tables
from benchmarks.served.case import Case, case_of
from benchmarks.served.findings import TABLES, demands
from benchmarks.served.fleets import Past, fleet_weights
from benchmarks.served.learn import learn
from benchmarks.served.lines import Given
from benchmarks.served.picture import draw
from benchmarks.served.results import Result, read, results, write
from benchmarks.served.shops import GROUPS, shops
from recfleet.models import Weights

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODELS = ROOT / "src/recfleet/models/blend"
SHIPPED = ("steady.json", "changing.json")
KEPT = DOCS / "served/results.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ship", action="store_true", help="write the shipped weights")
    parser.add_argument("--cases", type=Path, help="folder of cases, made if it is empty")
    parser.add_argument("--every", type=int, default=1, help="use every so manieth store")
    parser.add_argument("--redraw", action="store_true", help="from the results that were kept")
    chosen = parser.parse_args(arguments)
    if chosen.redraw:
        return report(read(KEPT), DOCS)
    with tempfile.TemporaryDirectory(prefix="recfleet-served-") as folder:
        cases = Cases(chosen.cases or Path(folder))
        if not cases.paths():
            cases.make(chosen.every)
        past = cases.past()
        if chosen.ship:
            ship(past)
        given = weights_for(past)
        found = [
            one for case in cases for one in results(case, given[case.shop.group, case.shop.at])
        ]
    if chosen.every == 1:
        write(KEPT, found)
    return report(found, DOCS if chosen.every == 1 else None)


class Cases:
    """Cases on the disk, as all of them are too large for the memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> list[Path]:
        """The cases that are there."""
        return sorted(self.folder.glob("*.case"))

    def make(self, every: int) -> None:
        """Make every case, with progress."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        for number, shop in enumerate(shops(every), start=1):
            case = case_of(shop)
            if case is not None:
                with (self.folder / f"{number:05}.case").open("wb") as file:
                    pickle.dump(case, file)
            if number % 50 == 0:
                print(f"{time.monotonic() - began:6.0f} s  {number} tenants and times", flush=True)

    def past(self) -> list[Past]:
        """What weights are learned from, of tenants with a model."""
        return [Past(case.shop.group, case.shop.at, case.past) for case in self if case.past.taste]

    def __iter__(self) -> Iterator[Case]:
        for path in self.paths():
            with path.open("rb") as file:
                yield pickle.load(file)


def ship(past: Sequence[Past]) -> None:
    """Write the weights that recfleet ships."""
    for name, weights in zip(SHIPPED, learned(past), strict=True):
        (MODELS / name).write_text(weights.to_json() + "\n", encoding="utf-8")
    print(f"Wrote {' and '.join(SHIPPED)} in {MODELS.relative_to(ROOT)}.")


def weights_for(past: Sequence[Past]) -> dict[tuple[str, datetime], Given]:
    """For each group and time, the weights that its lists may be made with."""
    journey, retail = learned(past)
    both = (journey, retail)
    found: dict[tuple[str, datetime], Given] = {}
    for others, groups in ((journey, GROUPS[:2]), (retail, GROUPS[2:])):
        some = [one for one in past if one.group in groups]
        fleet, fleet_of_others = fleet_weights(some, both), fleet_weights(some, (others,))
        for group in groups:
            for at, priors in fleet.items():
                found[group, at] = Given(others, both, priors, fleet_of_others[at])
    return found


def learned(past: Sequence[Past]) -> tuple[Weights, Weights]:
    """Weights of the stores of Complete Journey, and of the countries of Online Retail."""
    journey = learn([one.samples for one in past if one.group == GROUPS[2]])
    return journey, learn([one.samples for one in past if one.group != GROUPS[2]])


def report(found: Sequence[Result], docs: Path | None) -> int:
    """Print the tables and the demands; write the page, if there is one."""
    asked = demands(found)
    tables = {"demands": list(demand_table(asked))}
    tables |= {name: list(table(found)) for name, table in TABLES.items()}
    for name, lines in tables.items():
        print("", name, *lines, sep="\n", flush=True)
    if docs is not None:
        draw(found, docs / "served/served.svg")
        where = f"Measured on {os.cpu_count()} cores, {platform.platform()}."
        write_tables(docs / "served.md", {**tables, "machine": where})
    return conclude(asked)


if __name__ == "__main__":
    raise SystemExit(main())
