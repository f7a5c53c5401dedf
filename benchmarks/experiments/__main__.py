"""Measure whether the statistics of experiments hold, or redraw from the kept results.

    python -m benchmarks.experiments                   # all of it
    python -m benchmarks.experiments false canary      # these trials; kept results for the others
    python -m benchmarks.experiments --redraw          # runs nothing
    python -m benchmarks.experiments --quick           # a little of everything, only printed

The results are kept in docs/experiments/findings.json; tables and picture go to
docs/experiments.md. Exits with 1 when a demand is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.demands import conclude, demand_table
from benchmarks.experiments.customers import GROCERY, WHOLESALE, Pool, simulated, source_table
from benchmarks.experiments.findings import Found, demands, kept, read, tables
from benchmarks.experiments.picture import draw
from benchmarks.experiments.serving import accepts, bandits, canaries, revenue_of
from benchmarks.experiments.trials import effects, false_calls, least_numbers, mismatches
from benchmarks.marks import write_tables

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = DOCS / "experiments" / "findings.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen trials; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], help="by default all")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="a little of everything, printed only")
    which.add_argument("--redraw", action="store_true", help="from the results that were kept")
    chosen = parser.parse_args(arguments)
    trials = [] if chosen.redraw else chosen.trials or list(TRIALS)
    pool = None if chosen.redraw else simulated(1 if chosen.quick else 6)
    if chosen.quick:
        return report(run_all(trials, pool, quick=True), None, pool)
    for trial in trials:
        found = kept(run_all([trial], pool))
        KEPT.parent.mkdir(exist_ok=True)
        known = (json.loads(KEPT.read_text()) if KEPT.exists() else {}) | found
        KEPT.write_text(json.dumps(known, indent=1) + "\n")
    return report(read(json.loads(KEPT.read_text())), DOCS, pool)


def run_all(trials: Sequence[str], pool: Pool | None, *, quick: bool = False) -> Found:
    """Run trials, with progress."""
    assert pool is not None
    found: dict[str, list[Any]] = {}
    for trial in trials:
        began = time.monotonic()
        found[trial] = []
        for row in TRIALS[trial](pool, quick):
            found[trial].append(row)
            print(f"{time.monotonic() - began:6.0f} s  {trial}: {len(found[trial])}", flush=True)
    return found


def report(found: Found, docs: Path | None, pool: Pool | None) -> int:
    """Print the tables, and write them with the picture into the docs; 0 if all demands are met."""
    asked = demands(found)
    sections = {"demands": list(demand_table(asked)), **tables(found)}
    if pool is not None:
        sections["sources"] = source_table([GROCERY, WHOLESALE, pool])
    for name, lines in sections.items():
        if name != "demands":
            print("", name, "", *lines, sep="\n", flush=True)
    if docs:
        draw(found, docs / "experiments" / "curves.svg")
        write_tables(docs / "experiments.md", sections)
    return conclude(asked)


def _false(pool: Pool, quick: bool) -> Iterator[object]:
    sizes = {0.5: [100, 400, 2_000, 10_000, 20_000], 0.1: [1_000, 4_000, 20_000]}
    if quick:
        sizes = {0.5: [400], 0.1: [1_000]}
    for source in (GROCERY, WHOLESALE, pool):
        for share, each in sizes.items():
            for customers in each:
                yield false_calls(source, customers, share, 60 if quick else 1_000)


def _least(_: Pool, quick: bool) -> Iterator[object]:
    for shop in (GROCERY, WHOLESALE):
        for effect in (0.5, -0.5):
            for customers in (60, 200):
                yield least_numbers(shop, effect, customers, 20 if quick else 1_000)


def _effects(pool: Pool, quick: bool) -> Iterator[object]:
    if quick:
        yield effects(GROCERY, 0.4, 2_000, 30)
        return
    for source, effect, customers in (
        (GROCERY, 0.1, 26_000),
        (GROCERY, 0.2, 7_000),
        (GROCERY, 0.4, 2_000),
        (WHOLESALE, 0.3, 60_000),
        (WHOLESALE, 0.6, 16_000),
    ):
        yield effects(source, effect, customers, 300)
    yield effects(pool, pool.effect, 56_000, 300)


def _mismatch(_: Pool, quick: bool) -> Iterator[object]:
    runs = 300 if quick else 1_000
    for lost, customers in (
        (0.03, 30_000),
        (0.03, 60_000),
        (0.03, 120_000),
        (0.03, 240_000),
        (0.1, 4_000),
        (0.1, 12_000),
        (0.3, 400),
        (0.3, 1_600),
        (0.0, 1_000),
        (0.0, 10_000),
        (0.0, 120_000),
    ):
        yield mismatches(lost, customers, runs)


def _bandit(_: Pool, quick: bool) -> Iterator[object]:
    if quick:
        yield bandits("accepts", accepts, 4_000, 6)
        return
    for customers in (1_000, 2_000, 4_000, 20_000):
        yield bandits("accepts", accepts, customers, 100)
    for delay in (3, 7, 14):
        yield bandits("accepts", accepts, 4_000, 100, delay=delay)
    yield bandits("revenue, grocery", revenue_of(GROCERY), 2_000, 40)
    yield bandits("revenue, grocery", revenue_of(GROCERY), 4_000, 40)
    yield bandits("revenue, wholesale", revenue_of(WHOLESALE), 20_000, 40)


def _canary(_: Pool, quick: bool) -> Iterator[object]:
    if quick:
        yield canaries(GROCERY, 5_000, -0.1, 20)
        return
    for shop, customers in (
        (GROCERY, 5_000),
        (GROCERY, 20_000),
        (GROCERY, 80_000),
        (WHOLESALE, 20_000),
        (WHOLESALE, 80_000),
    ):
        for effect in (-0.1, -0.05, 0.0, 0.1):
            yield canaries(shop, customers, effect, 200)


TRIALS: dict[str, Callable[[Pool, bool], Iterator[object]]] = {
    "false": _false,
    "least": _least,
    "effects": _effects,
    "mismatch": _mismatch,
    "bandit": _bandit,
    "canary": _canary,
}


if __name__ == "__main__":
    sys.exit(main())
