"""What earlier nights found of the same champion, pooled with what tonight finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recfleet.statistics import Estimate
from recfleet.tenants import Policy


@dataclass(frozen=True)
class Evidence:
    """The gain that an earlier night's challenger had over tonight's champion.

    It was another challenger, some days older: what is pooled is not one model's gain, but how far
    the champion has fallen behind.
    """

    days_before: float
    """How long before tonight's as-of, more than 0."""
    gain: float
    """Share by which its RMSE was lower than the champion's."""
    standard_error: float
    """Of the gain."""


@dataclass(frozen=True)
class Pooled:
    """The mean gain of some nights over the same champion."""

    nights: int
    """Tonight among them."""
    gain: Estimate


def pool(tonight: Estimate, earlier: Sequence[Evidence], policy: Policy) -> Pooled | None:
    """Tonight and the nights of the policy's days before it; None when they are too few.

    Args:
        tonight: its challenger's gain over the champion.
        earlier: nights before that saw the same champion, in any order.
        policy: how many days are looked back, and how many nights it takes.
    """
    near = [night for night in earlier if 0 < night.days_before < policy.pooled_days]
    if 1 + len(near) < policy.pooled_nights:
        return None
    gain = mean_gain(tonight, near, holdout_days=policy.recipe.holdout_days)
    return Pooled(nights=1 + len(near), gain=gain)


def mean_gain(tonight: Estimate, earlier: Sequence[Evidence], *, holdout_days: int) -> Estimate:
    """The mean gain over nights whose holdouts overlap, with its standard error.

    Two nights whose holdouts share days share customers and purchases. The correlation of their
    errors is taken as the share of days in common, ρ = max(0, 1 - days apart / holdout_days). The
    variance of the mean of k nights with standard errors s is then Σ ρ_ij s_i s_j / k² over all
    pairs, so that a second look at almost the same fortnight counts as almost nothing.

    Args:
        tonight: its gain.
        earlier: other nights.
        holdout_days: length of every night's holdout.
    """
    gains = np.array([tonight.value, *(night.gain for night in earlier)])
    errors = np.array([tonight.standard_error, *(night.standard_error for night in earlier)])
    days = np.array([0.0, *(night.days_before for night in earlier)])
    shared = np.maximum(0.0, 1 - np.abs(days[:, None] - days) / holdout_days)
    variance = float(errors @ shared @ errors) / len(gains) ** 2
    return Estimate(float(gains.mean()), variance**0.5, tonight.customers)
