"""The fleet's weights: the mean of what its tenants learned, held near the shipped ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recfleet.models.blend._features import SIGNAL
from recfleet.models.blend._fit import Learning, mean_line
from recfleet.models.blend._weights import Line, Weights

SHIPPED_SHARE = 50.0
"""The shipped weights count as ten tenants of 25 customers: a few tenants move the fleet's weights
little."""


@dataclass(frozen=True)
class Finding:
    """What one tenant learned about one line: some numbers, no customer, product or purchase."""

    line: str
    """Its name, as in ``Weights.of_lines``."""
    began: int
    """Place of the prior that the line began at."""
    customers: int
    """Number of customers that it was learned from."""
    constant: float
    """Log-odds where every feature is zero."""
    slopes: dict[str, float]
    """Feature -> coefficient of the feature as it is."""


def findings(learning: Learning) -> list[Finding]:
    """What a tenant learned, as the fleet keeps it."""
    found: list[Finding] = []
    for name, how in sorted(learning.learned.items()):
        line: Line = getattr(learning.weights, name)
        slopes = dict(zip(line.features, line.slopes.tolist(), strict=True))
        found.append(Finding(name, how.began, how.customers, line.constant, slopes))
    return found


def pool(found: Iterable[Finding], shipped: Sequence[Weights]) -> tuple[Weights, ...]:
    """The fleet's priors: for each shipped prior, the mean over the tenants that began at it.

    A tenant counts as the square root of its customers, so that a large one does not speak for all.
    A tenant with few samples stays near the prior that it began at, and so says little. Night by
    night the mean approaches the weights that make all tenants' samples likeliest, as the steps of
    expectation maximisation do (Bishop, "Pattern recognition and machine learning", 2006, 9.4).

    Args:
        found: of many tenants, in an order that is the same each time.
        shipped: each counts ``SHIPPED_SHARE``.

    Returns:
        As many as are shipped, with their features, means and scales.
    """
    tenants: dict[tuple[str, int], list[Finding]] = {}
    for one in found:
        if one.began < len(shipped) and one.slopes.keys() <= SIGNAL.keys():
            tenants.setdefault((one.line, one.began), []).append(one)
    priors = list(shipped)
    for (name, began), some in tenants.items():
        ours: Line = getattr(shipped[began], name)
        shares = [SHIPPED_SHARE, *(math.sqrt(one.customers) for one in some)]
        mean = mean_line([ours, *map(_line, some)], shares)
        priors[began] = priors[began].with_lines({name: mean})
    return tuple(priors)


def _line(one: Finding) -> Line:
    count = len(one.slopes)
    return Line(
        features=tuple(one.slopes),
        means=(0.0,) * count,
        scales=(1.0,) * count,
        coefficients=tuple(one.slopes.values()),
        intercept=one.constant,
    )
