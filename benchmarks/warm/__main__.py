"""Compare sixty nights in a chain of warm fits with cold fits of the same nights.

    python -m benchmarks.warm              # all groups, writes docs/warm.md
    python -m benchmarks.warm retail-uk    # this group; kept results for the others
    python -m benchmarks.warm --redraw     # runs nothing
    python -m benchmarks.warm --every 30   # a cold fit of each thirtieth night only, printed

It needs the file of UCI Online Retail, from RECFLEET_ONLINE_RETAIL or ../shared. The results are
kept in docs/warm/findings.json. Exits with 1 when a demand is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.demands import Demand, at_most, conclude
from benchmarks.marks import write_tables
from benchmarks.warm.chain import EVERY, Chain, run
from benchmarks.warm.shops import GROUPS
from recfleet.statistics import resampled_means

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = DOCS / "warm/findings.json"
LEVEL = 0.99
RESAMPLES = 4_000
MOST_RMSE = 0.2
MOST_NDCG = 1.0
"""Per cent by which a warm fit may be worse, at most, with that level."""

LEAST_CUSTOMERS = 500
"""With fewer, even two models that are as good would miss the demand on NDCG@10."""

Found = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen groups; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.warm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="by default all")
    parser.add_argument("--redraw", action="store_true", help="from the results that were kept")
    parser.add_argument("--every", type=int, default=EVERY, help="cold fits of such nights only")
    chosen = parser.parse_args(arguments)
    kept: dict[str, Found] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for group in [] if chosen.redraw else chosen.groups or GROUPS:
        began = time.monotonic()
        kept[group] = findings(run(GROUPS[group](), chosen.every))
        print(f"{time.monotonic() - began:6.0f} s  {group}: {kept[group]}", flush=True)
        if chosen.every == EVERY:
            again = json.loads(KEPT.read_text()) if KEPT.exists() else {}
            KEPT.write_text(json.dumps(again | {group: kept[group]}, indent=1) + "\n")
    found = {group: kept[group] for group in GROUPS if group in kept}
    lines = list(table(found))
    print("", *lines, sep="\n")
    if chosen.every == EVERY:
        write_tables(DOCS / "warm.md", {"table": lines})
    return conclude(demands(found))


def findings(chain: Chain) -> Found:
    """The numbers of a group: losses in per cent, and their upper bounds."""
    sums, late = np.concatenate(chain.sums), np.concatenate(chain.late)
    drawn = resampled_means(sums, resamples=RESAMPLES, seed=1)
    rmse, ndcg = losses(drawn)
    return {
        "tenants": chain.tenants,
        "customers": len(sums),
        "anew": chain.anew,
        "warm_ms": 1000 * float(np.mean(chain.warm)),
        "cold_ms": 1000 * float(np.mean(chain.cold)),
        "rmse": float(losses(sums.mean(axis=0))[0]),
        "rmse_bound": float(np.quantile(rmse, LEVEL)),
        "ndcg": float(losses(sums.mean(axis=0))[1]),
        "ndcg_bound": float(np.quantile(ndcg, LEVEL)),
        "rmse_late": float(losses(late.mean(axis=0))[0]),
        "ndcg_late": float(losses(late.mean(axis=0))[1]),
    }


def losses(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much worse warm fits are than cold ones, in per cent: by RMSE, and by NDCG@10.

    Args:
        means: (…, 4) mean squared error of warm and cold fits, and mean NDCG@10 of both.
    """
    error, cold_error, ndcg, cold_ndcg = np.moveaxis(means, -1, 0)
    return 100 * (np.sqrt(error / cold_error) - 1), 100 * (1 - ndcg / cold_ndcg)


def demands(found: Mapping[str, Found]) -> Iterator[Demand]:
    """What is demanded of every group; of changing tastes, it is on RMSE alone."""
    for group, numbers in found.items():
        yield at_most(f"{group}: loss of RMSE", numbers["rmse_bound"], MOST_RMSE, "%")
        if numbers["customers"] >= LEAST_CUSTOMERS and not group.startswith("changing"):
            yield at_most(f"{group}: loss of NDCG@10", numbers["ndcg_bound"], MOST_NDCG, "%")


def table(found: Mapping[str, Found]) -> Iterator[str]:
    """The page's table, line by line."""
    yield (
        "| group | tenants | customers | cold fit | warm fit | loss of RMSE (at most) | "
        "of the last 20 nights | loss of NDCG@10 (at most) | of the last 20 nights | cold fits |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for group, one in found.items():
        yield (
            f"| {group} | {one['tenants']} | {one['customers']:,} | {one['cold_ms']:,.0f} ms | "
            f"{one['warm_ms']:,.1f} ms | {one['rmse']:+.3f}% ({one['rmse_bound']:+.3f}%) | "
            f"{one['rmse_late']:+.3f}% | {one['ndcg']:+.2f}% ({one['ndcg_bound']:+.2f}%) | "
            f"{one['ndcg_late']:+.2f}% | {one['anew']} |"
        )


if __name__ == "__main__":
    sys.exit(main())
