"""How far a number may be from what it seems, had other customers come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
"""Enough for a standard error that is itself within 5%, which is all that is taken from them."""

_CHUNK_DRAWS = 2_000_000
"""Draws held at once."""


def resampled_means(
    values: NDArray[np.float64], *, seed: int, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Means over customers drawn with replacement: every column on the same draws.

    Args:
        values: (m, q) q numbers of each of m > 0 customers.
        seed: of the draws.
        resamples: B.

    Returns:
        (B, q).
    """
    customers = len(values)
    # Random bits are half of the cost: no more of them than a customer's number needs.
    width = np.uint16 if customers <= 2**16 else np.uint32
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _CHUNK_DRAWS // customers)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, customers, size=(rows, customers), dtype=width)
        place = drawn + np.arange(0, rows * customers, customers, dtype=np.int64)[:, None]
        counts = np.bincount(place.ravel(), minlength=rows * customers)
        means[start : start + rows] = counts.reshape(rows, customers) @ values / customers
    return means
