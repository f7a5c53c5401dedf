"""False calls without an effect; waiting and coverage with one; groups that lose customers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.experiments.customers import WINDOW, Source, first_days
from benchmarks.experiments.looks import Experiment, look_by_sums, look_by_welch, look_daily
from recfleet.statistics import LEAST_CUSTOMERS, is_mismatched, mismatch_evidence, plan_experiment

LOOKS = 30
"""Days on which a trial without an effect is looked at."""

LEASTS = (5, 10, 25, LEAST_CUSTOMERS)
"""Least numbers of customers an arm that are tried."""

LATE = 1.3
"""How many times the planned time an experiment may take."""

GRID = np.linspace(0.4, LATE, 19)
"""Times, in planned times, at which the share of experiments that were called is kept."""

MISMATCH_DAYS = 14


@dataclass(frozen=True)
class FalseCalls:
    """Experiments without any effect."""

    source: str
    share: float
    """Of the customers, in the treated arm."""
    customers: int
    """Of both arms, at the last look."""
    experiments: int
    called: list[float]
    """Share ever called up to each day, by the product's bounds."""
    plain: list[float]
    """By a plain test at each look."""
    welch: float
    """By a sequence with Welch's error, up to the last day."""


def false_calls(source: Source, customers: int, share: float, experiments: int) -> FalseCalls:
    """Look at experiments without an effect for thirty days."""
    complete = np.searchsorted(first_days(customers, LOOKS), np.arange(LOOKS), side="right")
    ever = np.zeros((3, LOOKS))
    for seed in range(experiments):
        random = np.random.default_rng([11, customers, int(100 * share), seed])
        treated = random.random(customers) < share
        one = Experiment(treated, *source.draw(treated, 0.0, random))
        for place, bounds in enumerate((
            look_by_sums(one, complete, planned=customers),
            look_by_welch(one, complete, planned=None),
            look_by_welch(one, complete, planned=customers),
        )):  # fmt: skip
            ever[place] += np.maximum.accumulate(bounds.misses(0.0))
    called, plain, welch = (ever / experiments).tolist()
    return FalseCalls(source.name, share, customers, experiments, called, plain, welch[-1])


@dataclass(frozen=True)
class Leasts:
    """Small experiments with a large effect, with bounds from so many customers an arm on."""

    source: str
    effect: float
    customers: int
    """Of both arms, at the last look."""
    experiments: int
    missed: dict[str, float]
    """Least number of customers an arm -> share whose bounds ever missed the truth."""


def least_numbers(source: Source, effect: float, customers: int, experiments: int) -> Leasts:
    """Look at the same experiments with each least number."""
    complete = np.searchsorted(first_days(customers, LOOKS), np.arange(LOOKS), side="right")
    missed = dict.fromkeys(LEASTS, 0)
    for seed in range(experiments):
        random = np.random.default_rng([18, customers, seed])
        treated = random.random(customers) < 0.5
        one = Experiment(treated, *source.draw(treated, effect, random))
        for least in LEASTS:
            bounds = look_by_sums(one, complete, planned=customers, least=least)
            missed[least] += bool(bounds.misses(source.difference(effect)).any())
    shares = {str(least): count / experiments for least, count in missed.items()}
    return Leasts(source.name, effect, customers, experiments, shares)


@dataclass(frozen=True)
class Effects:
    """Experiments with a true effect of the size that they were planned for."""

    source: str
    effect: float
    share: float
    customers: int
    """Whom the tenant exposes within the days that it would wait."""
    experiments: int
    planned: float
    """Median number of customers planned for."""
    days: float
    """Median of the planned days."""
    refused: int
    """Plans that said *cannot be had here*; those experiments were not run."""
    in_time: float
    """Share called within the planned time."""
    late: float
    """Share called within 1.3 times the planned time."""
    covered: float
    """Share whose bounds held the truth at every look."""
    wrong: int
    """Calls of the wrong arm."""
    curve: list[float]
    """Share called at each time of the grid."""


def effects(
    source: Source, effect: float, customers: int, experiments: int, *, days: int = 42
) -> Effects:
    """Plan each experiment by customers of its own past, then look at it daily."""
    days_of = first_days(customers, days)
    truth, times, covered, plans, wrong = source.difference(effect), [], 0, [], 0
    for seed in range(experiments):
        random = np.random.default_rng([12, customers, seed])
        values, before = source.draw(np.zeros(customers, bool), 0.0, random)
        plan = plan_experiment(
            values, days_of, days=days, shares=(0.5, 0.5), effect=effect, window=WINDOW,
            before=before,
        )  # fmt: skip
        if plan.days is None:
            continue
        plans.append((plan.planned, plan.days))
        treated = random.random(customers) < 0.5
        one = Experiment(treated, *source.draw(treated, effect, random))
        looks = np.arange(WINDOW + 1, math.floor(LATE * plan.days) + 1)
        complete = np.searchsorted(days_of, looks - WINDOW)
        bounds = look_daily(one, complete, planned=plan.planned)
        called = np.flatnonzero(bounds.misses(0.0))
        times.append(looks[called[0]] / plan.days if len(called) else math.inf)
        wrong += bool(len(called)) and bounds.value[called[0]] * effect < 0
        covered += not bounds.misses(truth).any()
    time, run = np.array(times), len(plans)
    planned, waits = np.median(np.array(plans), axis=0)
    return Effects(
        source=source.name, effect=effect, share=0.5, customers=customers,
        experiments=run, planned=float(planned), days=float(waits), refused=experiments - run,
        in_time=float((time <= 1).mean()), late=float((time <= LATE).mean()),
        covered=covered / run, wrong=int(wrong),
        curve=[float((time <= at + 1e-9).mean()) for at in GRID],
    )  # fmt: skip


@dataclass(frozen=True)
class Mismatches:
    """Experiments whose treated arm loses a share of its customers on the way."""

    lost: float
    customers: int
    """Whom both arms would have within fourteen days."""
    experiments: int
    found: float
    """Share found within fourteen days; within thirty, with as many a day, if nothing is lost."""
    median_day: float
    """NaN if fewer than half are found."""


def mismatches(lost: float, customers: int, experiments: int) -> Mismatches:
    """Count customers of two equal groups, and look every day."""
    days = MISMATCH_DAYS if lost else LOOKS
    coming = np.bincount(first_days(customers * days // MISMATCH_DAYS, days), minlength=days)
    first = np.full(experiments, math.inf)
    for seed in range(experiments):
        random = np.random.default_rng([13, customers, seed])
        treated = random.binomial(coming, 0.5)
        counts = np.cumsum([random.binomial(treated, 1 - lost), coming - treated], axis=1)
        evidence = [mismatch_evidence(look.tolist(), (0.5, 0.5)) for look in counts.T]
        found = [day for day, one in enumerate(evidence, start=1) if is_mismatched(one)]
        first[seed] = found[0] if found else math.inf
    middle = float(np.median(first))
    return Mismatches(
        lost, customers, experiments, float(np.isfinite(first).mean()),
        middle if math.isfinite(middle) else math.nan,
    )  # fmt: skip


def needed(lost: float, sizes: list[int], experiments: int) -> Iterator[Mismatches]:
    """The same at each size."""
    for customers in sizes:
        yield mismatches(lost, customers, experiments)
