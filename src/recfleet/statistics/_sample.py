"""Two arms compared by their customers' outcomes: CUPED first, then strata, then the difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from recfleet.statistics._cuped import adjusted, slope_on
from recfleet.statistics._estimate import Estimate
from recfleet.statistics._sequential import (
    LEAST_CUSTOMERS,
    Moments,
    stratified_difference,
)


@dataclass(frozen=True)
class Sample:
    """Outcomes of one arm's customers whose window is complete, each customer once."""

    values: NDArray[np.float64]
    """(m,) for example, revenue within the window after the first exposure."""
    before: NDArray[np.float64] | None = None
    """(m,) the same measure before the first exposure; None: no CUPED."""
    strata: NDArray[np.int64] | None = None
    """(m,) number of each customer's stratum, such as the channel; None: one stratum."""


def compare_arms(treated: Sample, control: Sample, *, least: int = LEAST_CUSTOMERS) -> Estimate:
    """The mean of the treated less that of control, with CUPED and strata where they are given.

    The slope of CUPED is that of both arms' customers together. Give the estimate to
    `confidence_sequence`: its error is NaN, and so its bounds are infinite, while an arm has fewer
    than ``least`` customers.

    Args:
        treated: the arm in question.
        control: the arm that it is compared with; has ``before`` and ``strata`` as treated does.
        least: customers that each arm needs; an arm of a stratum too, else the strata are pooled.
    """
    mine, others = treated.values, control.values
    if treated.before is not None and control.before is not None:
        before = np.concatenate([treated.before, control.before])
        slope = slope_on(np.concatenate([mine, others]), before)
        centre = float(before.mean()) if len(before) else 0.0
        mine = adjusted(mine, treated.before, slope=slope, centre=centre)
        others = adjusted(others, control.before, slope=slope, centre=centre)
    if treated.strata is None or control.strata is None:
        pairs = [(Moments.of(mine), Moments.of(others))]
    else:
        pairs = [
            (Moments.of(mine[treated.strata == one]), Moments.of(others[control.strata == one]))
            for one in np.union1d(treated.strata, control.strata)
        ]
    found = stratified_difference(pairs, least=least)
    return found if min(len(mine), len(others)) >= least else replace(found, standard_error=nan)
