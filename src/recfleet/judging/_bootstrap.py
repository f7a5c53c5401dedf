"""How far a number may be from what it seems, had other customers come."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_CHUNK_DRAWS = 2_000_000
"""Draws held at once."""


def resamples_for(confidence: float) -> int:
    """How many resamples leave fifty beyond the bound, so that the bound itself is steady.

    At least 1,000, and for levels past 99.95% no more than 100,000.
    """
    return min(100_000, max(1_000, math.ceil(round(50 / (1 - confidence), 6))))


def resampled_means(
    values: NDArray[np.float64], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Means over customers drawn with replacement: every column on the same draws.

    Args:
        values: (m, q) q numbers of each of m > 0 customers.
        resamples: B.
        seed: of the draws.

    Returns:
        (B, q).
    """
    customers = len(values)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _CHUNK_DRAWS // customers)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, customers, size=(rows, customers))
        drawn += np.arange(0, rows * customers, customers)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * customers)
        means[start : start + rows] = counts.reshape(rows, customers) @ values / customers
    return means
