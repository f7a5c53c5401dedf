"""Ways of serving that follow what is found: a bandit over ninety nights, and a canary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.experiments.customers import Floats, Shop, first_days
from benchmarks.experiments.looks import Experiment
from recfleet.experiments._start import CANARY
from recfleet.statistics import (
    CANARY_ALPHA,
    CANARY_MARGIN,
    HALF_LIFE,
    Belief,
    Moments,
    compare_arms,
    confidence_sequence,
    forget,
    learn,
    least_share,
    next_step,
    plan_experiment,
    shares_by_belief,
)

ARMS = 4
NIGHTS = 90
_APART = 15
"""Nights between the changes of the best version, and from them to either end, at least."""

Draw = Callable[[int, float, np.random.Generator], Floats]
"""Outcomes of so many customers on one day, whose level is so high."""


def accepts(count: int, level: float, random: np.random.Generator) -> Floats:
    """Whether each customer accepts something: 8% do on a usual day."""
    return (random.random(count) < 0.08 * level).astype(np.float64)


def revenue_of(shop: Shop) -> Draw:
    """What each customer buys for on the day after the list."""
    day = replace(shop, purchases=shop.purchases / 4)

    def draw(count: int, level: float, random: np.random.Generator) -> Floats:
        return day.draw(np.ones(count, bool), level - 1, random)[0]

    return draw


@dataclass(frozen=True)
class Bandits:
    """Stories of ninety nights in which the best of four versions changes twice."""

    kpi: str
    customers: int
    """A night."""
    gain: float
    """Of the best version over the others."""
    delay: int
    """Nights until a night's outcomes are known."""
    stories: int
    beside_split: float
    """Regret of all stories, in that of a fixed equal split."""
    beside_split_error: float
    beside_remembering: float
    """In the regret of a bandit that never forgets."""
    beside_remembering_error: float
    least: float
    """Customers that the least served arm was given in any night, expected."""
    curves: list[list[float]]
    """Mean regret up to each night, in lost outcomes of an equal split's night: bandit, one that
    never forgets, equal split."""


def bandits(
    kpi: str, draw: Draw, customers: int, stories: int, *, gain: float = 0.2, delay: int = 1
) -> Bandits:
    """Serve by what is believed, night by night."""
    regret, least = np.zeros((3, stories, NIGHTS)), math.inf
    for seed in range(stories):
        best = _best_versions(np.random.default_rng([14, seed]))
        for place, half_life in enumerate((HALF_LIFE, math.inf)):
            shares = _served(
                best, draw, customers=customers, gain=gain, delay=delay, half_life=half_life,
                seed=seed,
            )  # fmt: skip
            regret[place, seed] = np.cumsum(1 - shares[np.arange(NIGHTS), best])
            least = min(least, customers * float(shares.min()))
        regret[2, seed] = np.cumsum(np.full(NIGHTS, 1 - 1 / ARMS))
    last = regret[:, :, -1]
    errors = last[0].std(ddof=1) / math.sqrt(stories) / last[1:].mean(axis=1)
    return Bandits(
        kpi=kpi, customers=customers, gain=gain, delay=delay, stories=stories,
        beside_split=float(last[0].mean() / last[2].mean()),
        beside_split_error=float(errors[1]),
        beside_remembering=float(last[0].mean() / last[1].mean()),
        beside_remembering_error=_ratio_error(last[0], last[1]),
        least=least,
        curves=(regret.mean(axis=1) / (1 - 1 / ARMS)).tolist(),
    )  # fmt: skip


def _best_versions(random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(nights,) the best version of each night; it changes twice."""
    while True:
        changes = np.sort(random.integers(_APART, NIGHTS - _APART, 2))
        if changes[1] - changes[0] >= _APART:
            break
    order = random.permutation(ARMS)
    return np.asarray(order[np.searchsorted(changes, np.arange(NIGHTS), side="right")])


def _served(
    best: np.ndarray[tuple[int], np.dtype[np.int64]],
    draw: Draw,
    *,
    customers: int,
    gain: float,
    delay: int,
    half_life: float,
    seed: int,
) -> Floats:
    """(nights, arms) the shares that the bandit gave."""
    random = np.random.default_rng([15, seed])
    belief, served = Belief.nothing(ARMS), []
    waiting: list[list[Moments]] = []
    for night, winner in enumerate(best):
        belief = forget(belief, 1, half_life=half_life)
        if len(waiting) == delay:
            belief = learn(belief, waiting.pop(0))
        least = least_share(ARMS, customers)
        served.append(shares_by_belief(belief, least=least, seed=[16, seed, night], draws=1_000))
        weekday = 1 + 0.3 * math.sin(2 * math.pi * night / 7)
        counts = random.multinomial(customers, served[-1])
        levels = [weekday * (1 + gain * (arm == winner)) for arm in range(ARMS)]
        waiting.append([
            Moments.of(draw(int(count), level, random))
            for count, level in zip(counts, levels, strict=True)
        ])  # fmt: skip
    return np.array(served)


def _ratio_error(top: Floats, bottom: Floats) -> float:
    """Standard error of the ratio of two means over the same stories (delta method)."""
    ratio = top.mean() / bottom.mean()
    return float((top - ratio * bottom).std(ddof=1) / math.sqrt(len(top)) / bottom.mean())


STEP_DAYS = 28
CANARY_WINDOW = 7


@dataclass(frozen=True)
class Canaries:
    """Rollouts of a version that changes revenue by so much."""

    source: str
    customers: int
    """Exposed within a step of 28 days."""
    effect: float
    rollouts: int
    within: float
    """Share that were stopped before the version had served 15% of the customer-days so far."""
    up: float
    """Share that ever went up from the first step."""
    whole: float
    """Share that came to serve everybody."""
    days: float
    """Median of the days until it was stopped, or served everybody."""


def canaries(shop: Shop, customers: int, effect: float, rollouts: int) -> Canaries:
    """Roll a version out, step by step, by the product's rule."""
    shop = replace(shop, purchases=shop.purchases / 2)
    ends = [_rollout(shop, customers, effect, seed) for seed in range(rollouts)]
    steps, days, served = (np.array(part) for part in zip(*ends, strict=True))
    return Canaries(
        source=shop.name, customers=customers, effect=effect, rollouts=rollouts,
        within=float(((steps < len(CANARY)) & (served < 0.15)).mean()),
        up=float((steps > 1).mean()), whole=float((steps == len(CANARY)).mean()),
        days=float(np.median(days)),
    )  # fmt: skip


def _rollout(shop: Shop, customers: int, effect: float, seed: int) -> tuple[int, int, float]:
    """The last step's number, the days passed, and the share of customer-days served."""
    random = np.random.default_rng([17, customers, seed])
    days_of = first_days(customers, STEP_DAYS)
    past, past_before = shop.draw(np.zeros(customers, bool), 0.0, random)
    days, served = 0, 0.0
    for number, share in enumerate(CANARY[:-1], start=1):
        plan = plan_experiment(
            past, days_of, days=STEP_DAYS, shares=(share, 1 - share), effect=CANARY_MARGIN,
            window=CANARY_WINDOW, before=past_before, alpha=CANARY_ALPHA,
        )  # fmt: skip
        treated = random.random(customers) < share
        one = Experiment(treated, *shop.draw(treated, effect, random))
        step, looked = _look_at_step(one, days_of, min(plan.planned, 1e9))
        days += looked
        served += share * looked
        if step == "stop":
            return number, days, served / days
    return len(CANARY), days, served / days


def _look_at_step(
    one: Experiment, days_of: np.ndarray[tuple[int], np.dtype[np.int64]], planned: float
) -> tuple[str, int]:
    for day in range(CANARY_WINDOW + 1, STEP_DAYS + 1):
        mine, control = one.arms(int(np.searchsorted(days_of, day - CANARY_WINDOW)))
        bounds = confidence_sequence(
            compare_arms(mine, control), planned=planned, alpha=CANARY_ALPHA
        )
        mean = float(control.values.mean()) if len(control.values) else math.nan
        step = next_step(bounds, control_mean=mean, is_last_day=day == STEP_DAYS)
        if step != "hold":
            return step, day
    raise AssertionError("the last day has decided")
