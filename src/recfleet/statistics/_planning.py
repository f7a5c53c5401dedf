"""How many customers and days an experiment needs, and whether a tenant has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from recfleet.statistics._cuped import adjusted, slope_on
from recfleet.statistics._sequential import ALPHA, LEAST_CUSTOMERS, reach

POWER = 0.8
"""How often a true effect of the planned size is called within the planned time."""


@dataclass(frozen=True)
class Plan:
    """What an experiment needs at a tenant's own variance, and what the tenant has."""

    effect: float
    """The relative effect that shall be found: 0.05 is 5% of the mean."""
    mean: float
    """Of one customer's outcome within the window."""
    deviation: float
    """Standard deviation of one customer's outcome, after CUPED if that was used."""
    is_adjusted: bool
    """Whether the customers' past takes noise out (CUPED)."""
    treated: float
    """Customers needed in the treated arm, and in control below; infinite if none are enough."""
    control: float
    looked_at_once: float
    """Customers of both arms that a textbook's test would need, looked at only once."""
    have_treated: int
    """Customers that the tenant exposes to the treated arm within the longest time."""
    have_control: int
    longest: int
    """Days of exposure that the tenant would wait at most."""
    window: int
    """Days after the first exposure within which a customer's outcome counts."""
    exposure_days: int | None
    """Days of exposure until both arms have their customers; None: not within the longest time."""
    smallest_effect: float
    """The smallest relative gain that can be found within the longest time; may be infinite."""

    @property
    def days(self) -> int | None:
        """Days from the start to the last customer's complete window; None: cannot be had here."""
        return None if self.exposure_days is None else self.exposure_days + self.window

    @property
    def can_be_had(self) -> bool:
        """Whether the tenant has the customers within the longest time."""
        return self.exposure_days is not None

    @property
    def planned(self) -> float:
        """Customers of both arms: what the confidence sequence is tuned to, once."""
        return self.treated + self.control


def plan_experiment(
    values: NDArray[np.float64],
    first_days: NDArray[np.int64],
    *,
    days: int,
    shares: tuple[float, float],
    effect: float,
    window: int,
    before: NDArray[np.float64] | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    least: int = LEAST_CUSTOMERS,
) -> Plan:
    """Customers and days until a confidence sequence calls a true effect with the given power.

    The customers of a past period stand for those to come: as many will be exposed for the first
    time on each day, and their outcomes will vary as much; in the treated arm 1 + effect times as
    much, if the effect is a gain. A test looked at once needs the number that statsmodels solves
    for; a sequence reaches further, so it needs
    ((reach + z_power) / (z_{1 - alpha/2} + z_power))² times as many (the rule is careful: it
    forgets that the sequence may call earlier).

    Args:
        values: (m,) outcomes of the customers of the past period, within the window after the
            first exposure.
        first_days: (m,) the day of each one's first exposure in the period, from 0 to days - 1.
        days: of exposure that the tenant would wait at most; the past period is as long.
        shares: of the tenant's customers, in the treated arm and in control; together at most 1.
        effect: relative, not 0; 0.05 is 5% of the mean.
        window: days after the first exposure within which an outcome counts.
        before: (m,) the same measure before the first exposure, for CUPED; None: without.
        alpha: how often an experiment without an effect may ever be called.
        power: how often the effect is called within the planned time.
        least: customers that each arm needs in any case.

    Raises:
        ValueError: shares, effect or days cannot be meant.
    """
    _check(shares, effect, days, first_days)
    mean = float(values.mean()) if len(values) else math.nan
    deviation = _deviation(values, before)
    noise = max(1e-9, deviation / abs(mean)) if len(values) > 1 and mean else math.inf
    ratio = shares[1] / shares[0]
    wider = ((1 + max(0.0, effect)) ** 2 * ratio + 1) / (ratio + 1)
    standardised = abs(effect) / (noise * math.sqrt(wider))
    once = _looked_at_once(standardised, ratio, alpha=alpha, power=power)
    treated = max(once * _further(alpha, power), least, least / ratio)
    coming = np.bincount(first_days, minlength=days).cumsum()
    enough = np.flatnonzero(coming * shares[0] >= treated)
    have = float(coming[-1]) * shares[0], float(coming[-1]) * shares[1]
    return Plan(
        effect=effect,
        mean=mean,
        deviation=deviation,
        is_adjusted=before is not None,
        treated=_whole(treated),
        control=_whole(treated * ratio),
        looked_at_once=_whole(once * (1 + ratio)),
        have_treated=int(have[0]),
        have_control=int(have[1]),
        longest=days,
        window=window,
        exposure_days=int(enough[0]) + 1 if len(enough) else None,
        smallest_effect=_smallest(have, noise * _drift(alpha, power), least),
    )


def _check(
    shares: tuple[float, float], effect: float, days: int, first_days: NDArray[np.int64]
) -> None:
    if min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise ValueError(f"the shares {shares} are not above 0 with a sum of at most 1")
    if not math.isfinite(effect) or effect == 0:
        raise ValueError("plan for an effect that is not zero")
    if days < 1 or (len(first_days) and not 0 <= first_days.min() <= first_days.max() < days):
        raise ValueError(f"the first exposures are not on the days 0 to {days - 1}")


def _deviation(values: NDArray[np.float64], before: NDArray[np.float64] | None) -> float:
    if len(values) < 2:
        return math.nan
    if before is not None:
        slope = slope_on(values, before)
        values = adjusted(values, before, slope=slope, centre=float(before.mean()))
    return float(values.std(ddof=1))


def _looked_at_once(effect: float, ratio: float, *, alpha: float, power: float) -> float:
    """Customers in the treated arm for a two-sided t-test; effect in standard deviations.

    Infinite for an effect below a millionth, which nobody can find.
    """
    from statsmodels.stats.power import tt_ind_solve_power

    if effect < 1e-6:
        return math.inf
    # Above some deviations the solver looks for arms of less than two customers, and fails.
    found = tt_ind_solve_power(effect_size=min(effect, 1.0), alpha=alpha, power=power, ratio=ratio)
    return float(found)


def _further(alpha: float, power: float) -> float:
    """How many times as many customers a sequence needs as a test that is looked at once."""
    once = float(ndtri(power)) - float(ndtri(alpha / 2))
    return (_drift(alpha, power) / once) ** 2


def _drift(alpha: float, power: float) -> float:
    """How many standard errors an effect must measure at the planned number to be called."""
    return reach(1, planned=1, alpha=alpha) + float(ndtri(power))


def _smallest(have: tuple[float, float], noise: float, least: int) -> float:
    """The gain e that solves e = noise √((1 + e)² / treated + 1 / control)."""
    if min(have) < max(1, least) or not noise**2 < have[0]:
        return math.inf
    treated, control = noise**2 / have[0], noise**2 / have[1]
    root = math.sqrt(treated**2 + (1 - treated) * (treated + control))
    return (treated + root) / (1 - treated)


def _whole(customers: float) -> float:
    return math.ceil(customers) if math.isfinite(customers) else math.inf
