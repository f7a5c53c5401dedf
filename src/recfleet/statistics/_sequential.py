"""Bounds that may be looked at every day: asymptotic confidence sequences.

A confidence interval of a textbook holds for one look. A confidence sequence holds at all looks
together: the probability that it ever misses the truth is at most alpha, whenever one stops. The
asymptotic one needs only means and variances (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences", arXiv 2103.06476, 2021,
theorem 2.2). It is narrowest at the number of customers that it is tuned to: choose that number
once, before the first look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.statistics._estimate import Estimate

ALPHA = 0.05
"""How often a sequence may ever miss the truth."""

LEAST_CUSTOMERS = 50
"""Customers that each arm needs before its difference has bounds: a handful of skewed values says
nothing about a mean. ``docs/experiments.md`` has how often the bounds miss with fewer."""


@dataclass(frozen=True)
class Moments:
    """What a comparison needs to know of the values of one arm's customers."""

    count: int
    mean: float
    """NaN without customers."""
    variance: float
    """Of one customer, divided by count - 1; NaN for fewer than two customers."""

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """The moments of (m,) values."""
        count = len(values)
        return cls(
            count,
            float(values.mean()) if count else math.nan,
            float(values.var(ddof=1)) if count > 1 else math.nan,
        )

    @classmethod
    def joined(cls, parts: Sequence[Moments]) -> Moments:
        """The moments of all customers of several groups together (Chan, Golub & LeVeque 1983)."""
        known = [part for part in parts if part.count]
        count = sum(part.count for part in known)
        if not count:
            return cls(0, math.nan, math.nan)
        mean = sum(part.count * part.mean for part in known) / count
        inside = sum((part.count - 1) * part.variance for part in known if part.count > 1)
        between = sum(part.count * (part.mean - mean) ** 2 for part in known)
        return cls(count, mean, (inside + between) / (count - 1) if count > 1 else math.nan)


@dataclass(frozen=True)
class Bounds:
    """Where the truth is, both sides; infinite when too little is known."""

    low: float
    high: float


def difference_of_means(treated: Moments, control: Moments) -> Estimate:
    """The mean of the treated less the mean of the control, Δ, with its standard error.

    s² = v₁ / n₁ + v₀ / n₀, with each arm's variance v at least that of both arms together. Revenue
    is skewed: a small arm that has missed the few large customers by chance has too low a mean and
    too low a variance at once, and Welch's error would call it worse (``docs/experiments.md``).

    ``customers`` counts both arms. NaN where an arm has nobody, or one customer.
    """
    error = math.nan
    if min(treated.count, control.count) > 1:
        inside = sum((arm.count - 1) * arm.variance for arm in (treated, control))
        together = inside / (treated.count + control.count - 2)
        square = sum(max(arm.variance, together) / arm.count for arm in (treated, control))
        error = math.sqrt(square)
    return Estimate(treated.mean - control.mean, error, treated.count + control.count)


def stratified_difference(
    strata: Sequence[tuple[Moments, Moments]], *, least: int = LEAST_CUSTOMERS
) -> Estimate:
    """The difference of means within each stratum, weighted by the stratum's customers.

    Δ = Σ w Δ_k and s² = Σ w² s_k² with w = the stratum's share of all customers. Groups are drawn
    without regard to strata, so the difference of the pooled arms has the same expectation; it is
    taken where an arm of a stratum has fewer than ``least`` customers.

    Args:
        strata: treated and control of each stratum; strata without customers do not count.
        least: customers that each arm of each stratum needs.
    """
    known = [pair for pair in strata if pair[0].count + pair[1].count]
    if len(known) < 2 or min(arm.count for pair in known for arm in pair) < max(2, least):
        treated, control = ([pair[arm] for pair in known] for arm in (0, 1))
        return difference_of_means(Moments.joined(treated), Moments.joined(control))
    parts = [difference_of_means(*pair) for pair in known]
    customers = sum(part.customers for part in parts)
    weights = [part.customers / customers for part in parts]
    value = sum(weight * part.value for weight, part in zip(weights, parts, strict=True))
    square = sum(
        (weight * part.standard_error) ** 2 for weight, part in zip(weights, parts, strict=True)
    )
    return Estimate(value, math.sqrt(square), customers)


def reach(customers: float, *, planned: float, alpha: float = ALPHA) -> float:
    """How many standard errors a confidence sequence reaches to both sides of the estimate.

    With r = customers × ρ²:  √(2 (1 + 1/r) ln(√(1 + r) / alpha)).  The tuning
    ρ² = (-2 ln alpha + ln(-2 ln alpha) + 1) / planned  makes it nearly shortest at ``planned``
    (theorem 2.2 and appendix B.2 of the paper).

    Args:
        customers: seen so far, above 0.
        planned: customers that the experiment was planned for, above 0 and finite, chosen once.
        alpha: how often the sequence may ever miss the truth.
    """
    if not (customers > 0 and 0 < planned < math.inf and 0 < alpha < 1):
        raise ValueError(f"no reach for {customers=}, {planned=}, {alpha=}")
    twice = -2 * math.log(alpha)
    ratio = customers / planned * (twice + math.log(twice) + 1)
    return math.sqrt(2 * (1 + 1 / ratio) * (math.log1p(ratio) / 2 - math.log(alpha)))


def confidence_sequence(estimate: Estimate, *, planned: float, alpha: float = ALPHA) -> Bounds:
    """Bounds around an estimate that hold at all looks together.

    Args:
        estimate: what tonight's customers say; infinite bounds if its error is NaN.
        planned: customers of both arms that the experiment was planned for, chosen once.
        alpha: how often the sequence may ever miss the truth.
    """
    if not (math.isfinite(estimate.standard_error) and math.isfinite(estimate.value)):
        return Bounds(-math.inf, math.inf)
    aside = reach(estimate.customers, planned=planned, alpha=alpha) * estimate.standard_error
    return Bounds(estimate.value - aside, estimate.value + aside)


def sequence_of_difference(
    treated: Moments,
    control: Moments,
    *,
    planned: float,
    alpha: float = ALPHA,
    least: int = LEAST_CUSTOMERS,
) -> Bounds:
    """Bounds of the difference of two arms' means that hold at all looks together.

    Infinite while an arm has fewer than ``least`` customers; else see `confidence_sequence`.
    """
    if min(treated.count, control.count) < least:
        return Bounds(-math.inf, math.inf)
    return confidence_sequence(difference_of_means(treated, control), planned=planned, alpha=alpha)


def is_called(bounds: Bounds) -> bool:
    """Whether the bounds leave zero out, so that one arm surely differs from the other."""
    return bounds.low > 0 or bounds.high < 0
