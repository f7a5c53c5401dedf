"""What is usual of a tenant: the same numbers, as they were at earlier times."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recfleet.database import Connection
from recfleet.quality._counts import Counts, Floats, read_counts
from recfleet.quality._profile import WEEKS, WINDOW_WEEKS, weekly_values

PAST_WEEKS = 26
"""Number of earlier times, a week apart. A change that stays becomes usual after half of them."""

LEAST_TIMES = 4
"""Fewest earlier times with a number; with fewer, nothing is known to be usual."""

DEVIATIONS = 3.0
"""Standard deviations from the median within which a number is usual."""

_MAD_OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""


@dataclass(frozen=True)
class Usual:
    """One of a tenant's numbers at earlier times."""

    median: float
    deviation: float
    """Their standard deviation, estimated by the median absolute deviation from the median."""

    def covers(self, value: float, *, margin: float, is_high: bool) -> bool:
        """Whether a number is no worse than the earlier ones usually were.

        Args:
            value: tonight's number.
            margin: distance from the median that is always usual; DEVIATIONS standard deviations
                are added to it.
            is_high: whether high numbers are bad; otherwise low ones are.
        """
        beyond = value - self.median if is_high else self.median - value
        return beyond <= margin + DEVIATIONS * self.deviation


def read_usual(
    connection: Connection, failed: Collection[tuple[str, str]], as_of: datetime
) -> dict[tuple[str, str], Usual]:
    """What is usual of tenants, from their own lines.

    The earlier times are those at which the profile's window had no line of today's, so the last
    four weeks are never part of what is usual. Nothing later than as-of is read, and no record of
    earlier nights: a tenant's first night knows all of its past, and a night of the past only what
    came before it.

    Args:
        connection: an open connection.
        failed: tenants and columns of the profile; the columns have a past.
        as_of: with a time zone.

    Returns:
        By tenant and column; numbers with too short a past are left out.
    """
    tenant_ids = list(dict.fromkeys(tenant_id for tenant_id, _ in failed))
    if not tenant_ids:
        return {}
    weeks = WINDOW_WEEKS + PAST_WEEKS - 1 + WEEKS
    past = _past(read_counts(connection, tenant_ids, as_of, weeks=weeks))
    place = {tenant_id: row for row, tenant_id in enumerate(tenant_ids)}
    found = {
        (tenant_id, column): _usual(past[column][place[tenant_id]]) for tenant_id, column in failed
    }
    return {key: usual for key, usual in found.items() if usual is not None}


def _past(counts: Counts) -> dict[str, Floats]:
    """Column -> (tenants, PAST_WEEKS) values, null before the tenant's first line."""
    lines = counts.lines
    moments: list[dict[str, Floats]] = []
    for back in range(WINDOW_WEEKS, WINDOW_WEEKS + PAST_WEEKS):
        before_the_first = lines[:, back:].sum(axis=1) == 0
        values = weekly_values(counts.earlier(back))
        moments.append(
            {name: np.where(before_the_first, np.nan, value) for name, value in values.items()}
        )
    return {name: np.stack([values[name] for values in moments], axis=1) for name in moments[0]}


def _usual(values: Floats) -> Usual | None:
    known = values[~np.isnan(values)]
    if len(known) < LEAST_TIMES:
        return None
    median = float(np.median(known))
    return Usual(median, _MAD_OF_NORMAL * float(np.median(np.abs(known - median))))
