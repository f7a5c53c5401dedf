"""Means as estimates: of a sample, the root of one, and of looks at overlapping days."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recfleet.statistics._estimate import Estimate


def mean_estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean of m customers' values, with its standard error s / √m.

    The mean is NaN without customers, and the error is NaN for fewer than two.
    """
    customers = len(values)
    mean = float(values.mean()) if customers else float("nan")
    spread = float(values.std(ddof=1)) if customers > 1 else float("nan")
    return Estimate(mean, spread / max(1, customers) ** 0.5, customers)


def root_estimate(square: Estimate) -> Estimate:
    """The root of an estimated mean square: its error divided by twice the root (delta method).

    At zero the method does not apply, and the error is taken as 0.
    """
    root = float(np.sqrt(square.value))
    slope = 1 / (2 * root) if root > 0 else 0.0
    return Estimate(root, slope * square.standard_error, square.customers)


def shrunk_mean(
    values: Sequence[float], errors: Sequence[float], *, prior: float, spread: float
) -> float:
    """The mean of measurements and a prior, each weighted by 1 / its variance.

    Args:
        values: what was measured, perhaps nothing.
        errors: their standard errors; a measurement with an error of NaN says nothing.
        prior: what is expected without them.
        spread: standard deviation of the truth around the prior, above 0.
    """
    value, error = np.array(values, dtype=np.float64), np.array(errors, dtype=np.float64)
    sure = np.isfinite(error)
    weights = 1 / np.maximum(error[sure], 1e-9) ** 2
    total = weights.sum() + spread**-2
    return float((weights @ value[sure] + prior * spread**-2) / total)


def overlapping_mean(
    values: Sequence[float], errors: Sequence[float], days: Sequence[float], *, window: float
) -> tuple[float, float]:
    """The mean of looks whose windows overlap, and its standard error.

    Looks whose windows share days also share customers and purchases. The correlation of their
    errors is taken as the share of common days, ρ = max(0, 1 - days apart / window). The variance
    of the mean of k looks with standard errors s is then Σ ρ_ij s_i s_j / k² over all pairs, so
    that a second look at almost the same days counts as almost nothing.

    Args:
        values: k > 0, what each look found.
        errors: their standard errors.
        days: when each look was, in days from any beginning.
        window: length of every look's window, in days.
    """
    found, error, day = (np.array(one, dtype=np.float64) for one in (values, errors, days))
    shared = np.maximum(0.0, 1 - np.abs(day[:, None] - day) / window)
    variance = float(error @ shared @ error) / len(found) ** 2
    return float(found.mean()), variance**0.5
