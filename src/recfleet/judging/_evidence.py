"""Earlier nights' gains over the same champion, pooled with tonight's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recfleet.kinds import Offers
from recfleet.statistics import Estimate, overlapping_mean
from recfleet.tenants import Policy


@dataclass(frozen=True)
class Evidence:
    """The gain that an earlier night's challenger had over tonight's champion.

    That challenger was another model, some days older. So the pooled mean does not measure one
    model's gain; it measures how far the champion has fallen behind.
    """

    days_before: float
    """How long before tonight's as-of, more than 0."""
    gain: float
    """Share by which that challenger's RMSE was lower than the champion's."""
    standard_error: float
    """Standard error of the gain."""
    offers: Offers | None = None
    """The kinds of the lists that were judged; None: tonight's."""


@dataclass(frozen=True)
class Pooled:
    """The mean gain of some nights over the same champion."""

    nights: int
    """Number of nights, tonight included."""
    gain: Estimate


def of_offers(earlier: Sequence[Evidence], offers: Offers) -> list[Evidence]:
    """The nights that judged lists of these kinds; other lists' gains say nothing about them."""
    return [night for night in earlier if night.offers in (None, offers)]


def pool(tonight: Estimate, earlier: Sequence[Evidence], policy: Policy) -> Pooled | None:
    """Pool tonight with the nights of the policy's days before it; None when they are too few.

    Args:
        tonight: gain of tonight's challenger over the champion.
        earlier: earlier nights with the same champion, in any order.
        policy: gives the days to look back, and the fewest nights.
    """
    near = [night for night in earlier if 0 < night.days_before < policy.pooled_days]
    if 1 + len(near) < policy.pooled_nights:
        return None
    gain = mean_gain(tonight, near, holdout_days=policy.recipe.holdout_days)
    return Pooled(nights=1 + len(near), gain=gain)


def mean_gain(tonight: Estimate, earlier: Sequence[Evidence], *, holdout_days: int) -> Estimate:
    """The mean gain over nights whose holdouts overlap, see ``overlapping_mean``.

    Args:
        tonight: tonight's gain.
        earlier: the other nights' gains.
        holdout_days: length of every night's holdout.
    """
    gain, error = overlapping_mean(
        [tonight.value, *(night.gain for night in earlier)],
        [tonight.standard_error, *(night.standard_error for night in earlier)],
        [0.0, *(night.days_before for night in earlier)],
        window=holdout_days,
    )
    return Estimate(gain, error, tonight.customers)
