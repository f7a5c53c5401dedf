"""Run the benchmark of the judge, or redraw its tables and picture from the kept results.

    python -m benchmarks.judging                   # all of it
    python -m benchmarks.judging null probation    # these trials; kept results for the others
    python -m benchmarks.judging --redraw          # runs nothing
    python -m benchmarks.judging --quick           # a little of everything, only printed

The results are kept in docs/judging/, one file per trial; tables and picture go to
docs/judging.md. Exits with 1 when a demand is not met.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.demands import conclude, demand_table
from benchmarks.judging.coverage import Coverage, coverage
from benchmarks.judging.findings import TABLES, demands
from benchmarks.judging.look import Look, read_looks, write_looks
from benchmarks.judging.picture import draw
from benchmarks.judging.trials import FULL, QUICK, TRIALS, Plan
from benchmarks.marks import write_tables

DOCS = Path(__file__).resolve().parents[2] / "docs"
COVERAGE_DRAWS = 1_000
QUICK_COVERAGE_DRAWS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen trials; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judging",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], help="by default all")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="a few small tenants, printed only")
    which.add_argument("--redraw", action="store_true", help="from the looks that were kept")
    chosen = parser.parse_args(arguments)
    trials = chosen.trials or list(TRIALS)
    if chosen.quick:
        return report(
            [look for trial in trials for look in run(QUICK, trial)],
            None,
            draws=QUICK_COVERAGE_DRAWS,
        )
    if not chosen.redraw:
        for trial in trials:
            write_looks(_kept(trial), run(FULL, trial))
    looks = [look for trial in TRIALS for look in read_looks(_kept(trial))]
    return report(looks, DOCS, draws=0 if chosen.redraw or chosen.trials else COVERAGE_DRAWS)


def run(plan: Plan, trial: str) -> Iterator[Look]:
    """Run a trial over its tenants, with progress."""
    began = time.monotonic()
    for size, tenants in plan.tenants[trial].items():
        for place in range(tenants):
            yield from TRIALS[trial](plan, size, place)
        seconds = time.monotonic() - began
        print(f"{seconds:6.0f} s  {trial}: {tenants} tenants of size {size}", flush=True)


def report(looks: Sequence[Look], docs: Path | None, *, draws: int) -> int:
    """Print tables, and write them with the picture into the docs; 0 if all demands are met.

    Args:
        looks: of all trials.
        docs: the folder of judging.md; None: only print.
        draws: for the table of the bound's coverage; 0: that table stays as it is.
    """
    found = demands(looks)
    sections = {"demands": "\n".join(demand_table(found))}
    sections |= {name: "\n".join(table(looks)) for name, table in TABLES.items()}
    if draws:
        sections["coverage"] = "\n".join(coverage_table(coverage(draws)))
    for name, text in sections.items():
        if name != "demands":
            print(f"\n{name}\n\n{text}", flush=True)
    if docs:
        draw(looks, docs / "judging" / "promoted.svg")
        write_tables(docs / "judging.md", sections)
    return conclude(found)


def _kept(trial: str) -> Path:
    return DOCS / "judging" / f"{trial}.csv.gz"


def coverage_table(found: Iterator[Coverage]) -> Iterator[str]:
    """How often the truth lies below the bound."""
    yield "| customers | level | draws | missed | missed by the plain quantile | expected |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        yield (
            f"| {one.customers} | {one.level:.1%} | {one.draws} | {one.missed} | "
            f"{one.missed_by_quantile} | {one.draws * (1 - one.level):.0f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
