"""What recommending brings, as the product would tell it, beside the truth that is known.

    python -m benchmarks.attribution            # 200 simulated tenants; some minutes
    python -m benchmarks.attribution --quick    # a few, only printed

In each tenant a fifth of the customers, by lot, gets nothing; the others get personal lists, asked
for and sent. *Incremental* revenue is estimated by the product's own function: the difference of
the means of both groups over fourteen days after each customer's first exposure, with CUPED, with
bounds that may be looked at daily. It is looked at on each of fourteen days. *Attributed* revenue
counts what was bought after it was shown. The truth comes from the same customers with the same
luck, without lists. Table and picture go to docs/simulation.md. Exits with 1 when a demand is not
met.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.demands import Demand, at_least, conclude, demand_table
from benchmarks.marks import write_tables
from recfleet.feedback import Outcomes
from recfleet.feedback._incremental import NOTHING, compare_with_control
from recfleet.simulation import Outcomes as Truth
from recfleet.simulation import Way, simulate_outcomes, world_of
from recfleet.statistics import Sample, compare_arms
from recfleet.synthetic import UNTIL

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "simulation.md"
PICTURE = PAGE.parent / "images" / "attribution.svg"
TENANTS = 200
QUICK_TENANTS = 6
SIZES = (300, 1_000, 3_000)
"""Customers at one time."""
CONTROL = 0.2
WINDOW, DAYS = 14, 28
LOOKS = range(WINDOW + 1, DAYS + 1)
"""Days after the first at which the numbers are looked at."""
_PLAIN = 1.959964

WAYS = (
    Way("nothing", "nothing", pushes=True),
    Way("taste", "personal", noise=1.0, pushes=True),
)


@dataclass(frozen=True)
class Look:
    """A tenant's numbers on one day, all per treated customer, as shares of the mean revenue."""

    customers: int
    """At one time."""
    day: int
    treated: int
    control: int
    truth: float
    estimate: float
    error: float
    low: float
    high: float
    attributed: float

    @property
    def covers(self) -> bool:
        """Whether the truth is between the bounds."""
        return self.low <= self.truth <= self.high

    @property
    def is_told(self) -> bool:
        """Whether both groups have enough customers for bounds."""
        return bool(np.isfinite(self.high))

    @property
    def covers_plainly(self) -> bool:
        """Whether it is within the interval of a textbook, which is for one look only."""
        return not self.is_told or abs(self.estimate - self.truth) <= _PLAIN * self.error


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attribution",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a few tenants, only printed")
    quick = parser.parse_args(arguments).quick
    began, tenants = time.monotonic(), []
    for number in range(QUICK_TENANTS if quick else TENANTS):
        tenants.append(looks_at(SIZES[number % len(SIZES)], number))
        if (number + 1) % 20 == 0:
            print(f"{time.monotonic() - began:6.0f} s  {number + 1} tenants", flush=True)
    table = list(table_of(tenants))
    print("", *table, sep="\n")
    found = demands(tenants)
    if not quick:
        write_tables(PAGE, {"attribution": table, "demands on attribution": [*demand_table(found)]})
        draw([tenant[-1] for tenant in tenants], PICTURE)
    return conclude(found)


def looks_at(customers: int, number: int) -> list[Look]:
    """One tenant's numbers, day by day."""
    world = world_of(customers, seed=11, staples=0.25)
    outcomes = simulate_outcomes(world, number, WAYS, days=DAYS, window=WINDOW)
    exposed = (outcomes.pulled | outcomes.pushed)[0]
    first = np.where(exposed.any(axis=1), exposed.argmax(axis=1), DAYS)
    kept_out = np.random.default_rng([7, number]).random(len(first)) < CONTROL
    return [_look(outcomes, customers, day, first, kept_out) for day in LOOKS]


def _look(
    outcomes: Truth,
    customers: int,
    day: int,
    first: Ints,
    kept_out: Bools,
) -> Look:
    """The numbers of the customers whose window is complete on a day."""
    complete = first + WINDOW <= day
    days = np.arange(DAYS)
    within = (first[:, None] <= days) & (days < first[:, None] + WINDOW)
    revenue = (outcomes.revenue * within).sum(axis=2)
    attributed = (outcomes.attributed[1] * within).sum(axis=1)
    before, treated, control = outcomes.revenue_before, complete & ~kept_out, complete & kept_out
    plain = compare_arms(
        Sample(revenue[1][treated], before[treated]), Sample(revenue[0][control], before[control])
    )
    told = compare_with_control(
        _as_read(np.where(kept_out, revenue[0], revenue[1]), before, complete, kept_out),
        "pull",
        UNTIL + timedelta(days=day),
    )
    assert told is not None
    unit = float(revenue[0][treated].mean())
    return Look(
        customers=customers,
        day=day,
        treated=int(treated.sum()),
        control=int(control.sum()),
        truth=float((revenue[1] - revenue[0])[treated].mean()) / unit,
        estimate=plain.value / unit,
        error=plain.standard_error / unit,
        low=-np.inf if told.low is None else told.low / unit,
        high=np.inf if told.high is None else told.high / unit,
        attributed=float(attributed[treated].mean()) / unit,
    )


def _as_read(revenue: Floats, before: Floats, complete: Bools, kept_out: Bools) -> Outcomes:
    """Outcomes as the product reads them from its tables."""
    customers = len(revenue)
    nothing = np.full(customers, None, object)
    return Outcomes(
        customer_ids=nothing,
        exposed_at=nothing,
        channels=nothing,
        arms=np.where(kept_out, NOTHING, nothing),
        model_versions=nothing,
        is_mixed=np.zeros(customers, bool),
        is_complete=complete,
        accepts=np.zeros(customers),
        purchases=np.zeros(customers),
        revenue=revenue,
        revenue_before=before,
    )


def demands(tenants: Sequence[Sequence[Look]]) -> list[Demand]:
    """What must hold over all tenants."""
    last = 100 * np.mean([looks[-1].covers for looks in tenants])
    always = 100 * np.mean([all(look.covers for look in looks) for looks in tenants])
    over = np.mean([looks[-1].attributed - looks[-1].truth > 0 for looks in tenants])
    return [
        at_least("tenants whose bounds hold the truth on the last day", float(last), 95, "%"),
        at_least("tenants whose bounds hold it on every day", float(always), 95, "%"),
        Demand("attributed above the truth", "shown", f"{100 * over:.4g} % of tenants", met=True),
    ]


def table_of(tenants: Sequence[Sequence[Look]]) -> list[str]:
    """Means over the tenants of each size, on the last day."""
    lines = [
        "| customers | tenants | treated, control | attributed | truth | incremental, bounds aside "
        "| days with bounds | bounds hold the truth: last day, every day "
        "| a plain interval: last day, every day |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        mine = [looks for looks in tenants if looks[-1].customers == size]
        if not mine:
            continue
        last = [looks[-1] for looks in mine]
        truth, estimate, attributed = (
            np.mean([getattr(look, name) for look in last])
            for name in ("truth", "estimate", "attributed")
        )
        aside = np.mean([look.high - look.estimate for look in last if look.is_told])
        told = np.mean([look.is_told for looks in mine for look in looks])
        lines.append(
            f"| {size:,} | {len(mine)} | {np.mean([look.treated for look in last]):,.0f}, "
            f"{np.mean([look.control for look in last]):,.0f} | {attributed:+.1%} | {truth:+.1%} | "
            f"{estimate:+.1%} ± {aside:.1%} | {told:.1%} | "
            f"{np.mean([look.covers for look in last]):.1%}, "
            f"{np.mean([all(look.covers for look in looks) for looks in mine]):.1%} | "
            f"{np.mean([look.covers_plainly for look in last]):.1%}, "
            f"{np.mean([all(look.covers_plainly for look in looks) for looks in mine]):.1%} |"
        )
    return lines


def draw(looks: Sequence[Look], path: Path) -> None:
    """Draw estimate with bounds, and attributed revenue, over the truth; a panel a size."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "recfleet"
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(SIZES), sharey=True)
    for panel, size in zip(panels, SIZES, strict=True):
        mine = [look for look in looks if look.customers == size]
        truth, estimate, attributed = (
            [100 * getattr(look, name) for look in mine]
            for name in ("truth", "estimate", "attributed")
        )
        aside = [100 * (look.high - look.estimate) if look.is_told else 0 for look in mine]
        panel.errorbar(
            truth, estimate, yerr=aside, fmt="o", markersize=3, linewidth=0.5, label="incremental"
        )
        panel.plot(truth, attributed, "x", markersize=4, label="attributed")
        ends = [min(truth), max(truth)]
        panel.plot(ends, ends, color="black", linewidth=1, label="the truth")
        panel.set_title(f"{size:,} customers", fontsize=10)
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    figure.supxlabel("what the lists truly bring, % of revenue", fontsize=10)
    figure.supylabel("what is told, %", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    raise SystemExit(main())
