"""What the trials found, as tables, and the demands on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.demands import Demand, at_least, at_most
from benchmarks.experiments.serving import Bandits, Canaries
from benchmarks.experiments.trials import LATE, LEASTS, Effects, FalseCalls, Leasts, Mismatches

KINDS = {
    "false": FalseCalls,
    "least": Leasts,
    "effects": Effects,
    "mismatch": Mismatches,
    "bandit": Bandits,
    "canary": Canaries,
}
"""Trial -> what each of its rows is."""

Found = Mapping[str, Sequence[Any]]
"""Trial -> its rows."""

MISMATCH_FROM = 120_000
"""Customers within fourteen days from which a loss of 3% must be found."""

BANDIT_FROM = 2_000
"""Customers a night from which the bandit must keep its promise, if outcomes are known the next
night."""


def kept(found: Found) -> dict[str, list[dict[str, Any]]]:
    """As JSON can keep it."""
    return {trial: [asdict(row) for row in rows] for trial, rows in found.items()}


def read(known: Mapping[str, Sequence[Mapping[str, Any]]]) -> Found:
    """What was kept."""
    return {
        trial: [kind(**row) for row in known.get(trial, [])]
        for trial, kind in KINDS.items()
        if trial in known
    }


def demands(found: Found) -> list[Demand]:
    """The demands on the trials that were run."""
    return [one for trial in found for one in _DEMANDS[trial](found[trial])]


def _false(rows: Sequence[FalseCalls]) -> Iterator[Demand]:
    worst = max(row.called[-1] for row in rows)
    yield at_most("no effect: ever called, at the worst size", 100 * worst, 5, "%")


def _least(rows: Sequence[Leasts]) -> Iterator[Demand]:
    worst = max(row.missed[str(LEASTS[-1])] for row in rows)
    name = f"from {LEASTS[-1]} customers an arm on: bounds ever miss, worst case"
    yield at_most(name, 100 * worst, 5, "%")


def _effects(rows: Sequence[Effects]) -> Iterator[Demand]:
    late, covered = min(row.late for row in rows), min(row.covered for row in rows)
    yield at_least(f"effect: called within {LATE} planned times, worst case", 100 * late, 80, "%")
    yield at_least("effect: truth within all bounds, worst case", 100 * covered, 95, "%")


def _mismatch(rows: Sequence[Mismatches]) -> Iterator[Demand]:
    found = [row.found for row in rows if row.lost == 0.03 and row.customers >= MISMATCH_FROM]
    sound = [row.found for row in rows if row.lost == 0]
    name = f"mismatch: 3% lost, found in 14 days from {MISMATCH_FROM:,} customers"
    yield at_least(name, 100 * min(found, default=math.nan), 90, "%")
    yield at_most("mismatch: sound groups ever called", 100 * max(sound, default=math.nan), 1, "%")


def _bandit(rows: Sequence[Bandits]) -> Iterator[Demand]:
    chosen = [row for row in rows if row.customers >= BANDIT_FROM and row.delay == 1]
    split = max((row.beside_split for row in chosen), default=math.nan)
    other = max((row.beside_remembering for row in chosen), default=math.nan)
    where = f"from {BANDIT_FROM:,} customers a night"
    yield at_most(f"bandit: regret beside an equal split, {where}", 100 * split, 60, "%")
    yield at_most(f"bandit: regret beside never forgetting, {where}", 100 * other, 80, "%")
    yield at_least("bandit: customers of an arm in any night", min(r.least for r in rows), 99.99)


def _canary(rows: Sequence[Canaries]) -> Iterator[Demand]:
    bad = [row.within for row in rows if row.effect == -0.1]
    name = "canary: 10% of revenue lost, stopped before 15% of customer-days"
    yield at_least(name, 100 * min(bad, default=math.nan), 95, "%")


_DEMANDS: dict[str, Callable[[Sequence[Any]], Iterator[Demand]]] = {
    "false": _false,
    "least": _least,
    "effects": _effects,
    "mismatch": _mismatch,
    "bandit": _bandit,
    "canary": _canary,
}


def tables(found: Found) -> dict[str, list[str]]:
    """Name of a table's place on the page -> its lines."""
    return {trial: list(_TABLES[trial](rows)) for trial, rows in found.items()}


def _false_table(rows: Sequence[FalseCalls]) -> Iterator[str]:
    yield (
        "| customers of | in the treated arm | customers | experiments | ever called | "
        "a plain test every day | Welch's error |"
    )
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row.source} | {row.share:.0%} | {row.customers:,} | {row.experiments:,} | "
            f"{row.called[-1]:.1%} | {row.plain[-1]:.1%} | {row.welch:.1%} |"
        )


def _least_table(rows: Sequence[Leasts]) -> Iterator[str]:
    numbers = " | ".join(f"from {least} an arm" for least in LEASTS)
    yield f"| customers of | true effect | customers | experiments | {numbers} |"
    yield "|---|---|---|---|" + "---|" * len(LEASTS)
    for row in rows:
        missed = " | ".join(f"{share:.1%}" for share in row.missed.values())
        yield (
            f"| {row.source} | {row.effect:+.0%} | {row.customers:,} | {row.experiments:,} | "
            f"{missed} |"
        )


def _effects_table(rows: Sequence[Effects]) -> Iterator[str]:
    yield (
        "| customers of | true effect | planned customers | planned days | experiments | "
        "called in the planned time | in 1.3 times as much | truth within all bounds | "
        "wrong calls |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row.source} | {row.effect:.1%} | {row.planned:,.0f} | {row.days:.0f} | "
            f"{row.experiments} | {row.in_time:.0%} | {row.late:.0%} | {row.covered:.1%} | "
            f"{row.wrong} |"
        )


def _mismatch_table(rows: Sequence[Mismatches]) -> Iterator[str]:
    yield "| lost on the way | customers in 14 days | experiments | found | median day |"
    yield "|---|---|---|---|---|"
    for row in rows:
        day = "–" if math.isnan(row.median_day) else f"{row.median_day:.0f}"
        yield (
            f"| {row.lost:.0%} of one arm | {row.customers:,} | {row.experiments:,} | "
            f"{row.found:.1%} | {day} |"
        )


def _bandit_table(rows: Sequence[Bandits]) -> Iterator[str]:
    yield (
        "| KPI | customers a night | known after | stories | regret beside an equal split | "
        "beside never forgetting | least customers of an arm |"
    )
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        nights = f"{row.delay} night{'s' if row.delay > 1 else ''}"
        yield (
            f"| {row.kpi} | {row.customers:,} | {nights} | {row.stories} | "
            f"{row.beside_split:.0%} ± {1.96 * row.beside_split_error:.0%} | "
            f"{row.beside_remembering:.0%} ± {1.96 * row.beside_remembering_error:.0%} | "
            f"{row.least:.0f} |"
        )


def _canary_table(rows: Sequence[Canaries]) -> Iterator[str]:
    yield (
        "| customers of | exposed in a step | effect on revenue | rollouts | "
        "stopped before 15% of customer-days | went up once | came to serve everybody | "
        "median days |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row.source} | {row.customers:,} | {row.effect:+.0%} | {row.rollouts} | "
            f"{row.within:.1%} | {row.up:.1%} | {row.whole:.1%} | {row.days:.0f} |"
        )


_TABLES: dict[str, Callable[[Sequence[Any]], Iterator[str]]] = {
    "false": _false_table,
    "least": _least_table,
    "effects": _effects_table,
    "mismatch": _mismatch_table,
    "bandit": _bandit_table,
    "canary": _canary_table,
}
