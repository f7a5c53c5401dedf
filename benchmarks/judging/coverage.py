"""How often the truth lies below the bound, for the bound in use and for a plain quantile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.judging.story import Story
from benchmarks.judging.tenants import Tenant
from benchmarks.judging.trials import FIRST, drifting
from recfleet.judging import Score, compare, score
from recfleet.statistics._bootstrap import resampled_means

LEVELS = (0.95, 0.995)
_RESAMPLES = 10_000
"""Resamples for the plain quantile: fifty of them lie beyond the stricter level."""


@dataclass(frozen=True)
class Coverage:
    """Draws of a number of customers from a population with a known gain."""

    customers: int
    level: float
    draws: int
    missed: int
    """Draws with a bound, from the standard error, above the true gain."""
    missed_by_quantile: int
    """The same with the plain quantile of many resamples as the bound."""


def coverage(
    draws: int, *, size: int = 70_000, customers: tuple[int, ...] = (25, 50, 200)
) -> Iterator[Coverage]:
    """Draw from a population: the holdout customers of a large tenant with an old champion."""
    night = FIRST + 70
    tenant = Tenant.draw(drifting(size, seed=105), 0, night)
    story, holdout = Story("coverage", tenant, 0), tenant.holdout(night)
    challenger, champion = (
        score(holdout, tenant.as_served(story.model(made), holdout)) for made in (night, FIRST)
    )
    errors = np.column_stack([challenger.squared_error, champion.squared_error])
    truth = _gain(errors.mean(axis=0, keepdims=True))[0]
    random = np.random.default_rng(1)
    for count in customers:
        lows = np.array(
            [_lows(errors[random.integers(0, len(errors), count)], seed) for seed in range(draws)]
        )
        for place, level in enumerate(LEVELS):
            missed, by_quantile = (lows[:, :, place] > truth).sum(axis=0)
            yield Coverage(count, level, draws, int(missed), int(by_quantile))


def _lows(
    errors: np.ndarray[tuple[int, int], np.dtype[np.float64]], seed: int
) -> list[list[float]]:
    """Lower bounds at each level: from the standard error, and from the plain quantile."""
    rails = np.zeros(len(errors))
    mine, others = (Score(errors[:, who], rails, rails) for who in (0, 1))
    gain = compare(mine, others, over="champion", seed=seed).gain
    plain = _gain(resampled_means(errors, seed=seed, resamples=_RESAMPLES))
    return [
        [gain.low(level) for level in LEVELS],
        [float(np.quantile(plain, 1 - level)) for level in LEVELS],
    ]


def _gain(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 - np.sqrt(means[:, 0] / means[:, 1]))
