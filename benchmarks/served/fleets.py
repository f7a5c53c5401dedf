"""The weights that a fleet's tenants would begin at, from what its tenants learned before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recfleet.models import Samples, Weights, findings, pool
from recfleet.models.blend._fit import learn_weights

NIGHTS = 4
"""Nights in which a fleet learns before each time. There would be one every day, each from another
fortnight."""


@dataclass(frozen=True, eq=False)
class Past:
    """What a tenant's weights are learned from: the fortnight before a time."""

    group: str
    at: datetime
    samples: Samples


def fleet_weights(
    past: Sequence[Past], shipped: tuple[Weights, ...]
) -> dict[datetime, tuple[Weights, ...]]:
    """Time -> the weights of a fleet then, which began at shipped ones before its first time.

    Args:
        past: of the fleet's tenants at each time; nothing later than a time counts for it.
        shipped: what the fleet's first night begins at.
    """
    found: dict[datetime, tuple[Weights, ...]] = {}
    priors = shipped
    for at in sorted({one.at for one in past}):
        tonight = [one.samples for one in past if one.at == at]
        for _ in range(NIGHTS):
            learned = [learn_weights([samples], priors) for samples in tonight]
            priors = pool([line for one in learned for line in findings(one)], shipped)
        found[at] = priors
    return found
