"""A bandit: each night the arms get shares of the customers by how probably each is the best.

Thompson sampling (Thompson 1933; Russo et al., "A tutorial on Thompson sampling", 2018) over a
linear model with an effect for each day, so that good days do not speak for the arm that happened
to serve many customers on them. What was learned fades by the clock, so that arms that change are
tried again (Raj & Kalyani, "Taming non-stationary bandits", 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.statistics._sequential import Moments

HALF_LIFE = 7.0
"""Days after which what was learned counts half."""

PRIOR_SPREAD = 0.1
"""Standard deviation of the arms' true values around their mean, relative to the mean, before
anything is known."""

LEAST_A_NIGHT = 100
"""Customers that each arm gets every night, if there are so many."""

_DRAWS = 4_000


@dataclass(frozen=True)
class Belief:
    """What is known of k arms: how much each differs from the others on the same days."""

    weight: NDArray[np.float64]
    """(k, k) precision of what the days have shown, in 1 / value²; without the prior."""
    pull: NDArray[np.float64]
    """(k,) precision times value."""
    level: float
    """Sum over days of the mean outcome of a customer, faded like the rest."""
    days: float
    """Days that this sum is of, faded likewise."""

    @classmethod
    def nothing(cls, arms: int) -> Belief:
        """Before the first night."""
        return cls(np.zeros((arms, arms)), np.zeros(arms), 0.0, 0.0)


def forget(belief: Belief, days: float, *, half_life: float = HALF_LIFE) -> Belief:
    """Let what is known fade towards the prior, as time passes.

    Args:
        belief: of the last update.
        days: by the clock since then, at least 0; nights that did not run count as well.
        half_life: days after which what was learned counts half; infinite: it never fades.
    """
    kept = 0.5 ** (days / half_life)
    return Belief(kept * belief.weight, kept * belief.pull, kept * belief.level, kept * belief.days)


def learn(belief: Belief, day: Sequence[Moments]) -> Belief:
    """Add the outcomes of one day's customers, a `Moments` for each arm.

    Within the day, arm i has n_i customers with mean y_i. With the day's own level taken out, the
    n_i (y_i - ȳ) / σ² are the least squares' right side, and (diag(n) - n nᵀ / Σ n) / σ² their
    matrix, with ȳ the mean and σ² the variance within arms of all customers of the day. A day on
    which fewer than two arms have customers, or all outcomes are equal, says nothing.
    """
    count = np.array([arm.count for arm in day], dtype=np.float64)
    mean = np.array([arm.mean if arm.count else 0.0 for arm in day])
    total = count.sum()
    inside = sum((arm.count - 1) * arm.variance for arm in day if arm.count > 1)
    freedom = sum(arm.count - 1 for arm in day if arm.count > 1)
    variance = inside / freedom if freedom else 0.0
    if (count > 0).sum() < 2 or variance <= 0:
        return belief
    middle = float(count @ mean) / total
    return Belief(
        belief.weight + (np.diag(count) - np.outer(count, count) / total) / variance,
        belief.pull + count * (mean - middle) / variance,
        belief.level + middle,
        belief.days + 1,
    )


def shares_by_belief(
    belief: Belief,
    *,
    least: float,
    seed: int | Sequence[int],
    prior_spread: float = PRIOR_SPREAD,
    draws: int = _DRAWS,
) -> NDArray[np.float64]:
    """(k,) the share of tonight's customers for each arm; write it down beside each assignment.

    An arm's share is the probability that it is the best, from draws of the posterior. The prior
    of each arm's effect is normal around 0 with ``prior_spread`` times the mean outcome. Each arm
    has ``least`` at least: the rest is shared by the probabilities.

    Args:
        belief: after `forget` and `learn`.
        least: the least share of an arm, for example `least_share`; at most 1 / k.
        seed: of the draws; one for each tenant and night.
        prior_spread: see `PRIOR_SPREAD`.
        draws: of the posterior.

    Raises:
        ValueError: the least share is more than the arms can have.
    """
    arms = len(belief.pull)
    if not 0 <= least <= 1 / arms + 1e-9:
        raise ValueError(f"{arms} arms cannot have {least:.3f} each")
    level = belief.level / belief.days if belief.days > 0 else 0.0
    if not level:
        return np.full(arms, 1 / arms)
    precision = belief.weight + np.eye(arms) / (prior_spread * level) ** 2
    # With L Lᵀ the precision, L⁻ᵀ z has its inverse as covariance.
    root = np.linalg.cholesky(precision)
    noise = np.random.default_rng(seed).standard_normal((arms, draws))
    effect = np.linalg.solve(precision, belief.pull)[:, None] + np.linalg.solve(root.T, noise)
    best = np.bincount(effect.argmax(axis=0), minlength=arms) / draws
    return np.asarray(least + (1 - arms * least) * best)


def least_share(arms: int, customers: float, *, least: int = LEAST_A_NIGHT) -> float:
    """The share that gives every arm its least number of customers: an equal split at most."""
    return min(1 / arms, least / customers) if customers > 0 else 1 / arms


def values_by_chance(
    outcome: NDArray[np.float64],
    arm: NDArray[np.int64],
    chance: NDArray[np.float64],
    *,
    arms: int,
) -> list[Moments]:
    """What each arm would have brought a customer, had it served all: means weighted by 1 / chance.

    Plain means of a bandit's arms compare different days with each other. With the chance of each
    assignment they are Hájek's estimator, Σ y / p over Σ 1 / p; ``variance`` is that of one
    customer such that variance / count is the square of the estimate's standard error.

    Args:
        outcome: (m,) of each customer and night.
        arm: (m,) the arm that served, 0 to arms - 1.
        chance: (m,) the share of the night's customers that this arm had, above 0.
        arms: k, their number.
    """
    found = []
    for one in range(arms):
        chosen = arm == one
        value, weight = outcome[chosen], 1 / chance[chosen]
        count = len(value)
        if not count:
            found.append(Moments.of(value))
            continue
        mean = float(weight @ value / weight.sum())
        square = float(weight**2 @ (value - mean) ** 2) / float(weight.sum()) ** 2
        found.append(Moments(count, mean, square * count))
    return found
