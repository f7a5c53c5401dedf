"""When a version that serves some customers may serve more, and when it must stop."""

from __future__ import annotations

import math
from typing import Literal

from recfleet.statistics._sequential import Bounds

Step = Literal["up", "hold", "stop"]

CANARY_MARGIN = 0.1
"""The loss, relative to control's mean, that a version must surely not have before it serves
more."""

CANARY_ALPHA = 0.1
"""Of the bounds that `next_step` reads. Both sides together miss the truth with this probability,
so a version that loses the margin goes up with half of it."""


def next_step(
    bounds: Bounds, *, control_mean: float, is_last_day: bool, margin: float = CANARY_MARGIN
) -> Step:
    """What a look says about a version that serves a part of the customers.

    - ``stop``: the version surely brings less than control.
    - ``up``: the version surely does not lose the margin, so it may serve more.
    - ``hold``: neither is sure yet. On the step's last day it becomes ``stop``: whoever cannot show
      that a version does no harm does not serve everybody with it.

    A version that truly loses the margin or more goes up with a probability of at most half the
    alpha of the bounds, however often one looks, and whatever the tenant's size.

    Args:
        bounds: of the version's mean less control's, from a confidence sequence of this step alone,
            with `CANARY_ALPHA`.
        control_mean: of control's customers; without one above 0 nothing is sure.
        is_last_day: whether the step has had all its days.
        margin: relative to control's mean.
    """
    if bounds.high < 0:
        return "stop"
    if math.isfinite(control_mean) and control_mean > 0 and bounds.low > -margin * control_mean:
        return "up"
    return "stop" if is_last_day else "hold"
