"""Tenants' lines, counted week by week back from a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.interactions import count_unusable_weeks, count_usable

Floats = NDArray[np.float64]

LEAST_DAY_LINES = 10
"""Fewest lines of a repeated day."""

_SHARE_OF_REASON = {
    "no customer": "share_without_customer",
    "no product": "share_without_product",
    "malformed line": "share_unreadable",
    "unreadable text": "share_unreadable",
    "id lost in scientific notation": "share_unreadable",
    "missing time": "share_unreadable",
    "unreadable time": "share_unreadable",
    "time before 1970": "share_unreadable",
    "missing number": "share_unreadable",
    "unreadable number": "share_unreadable",
    "time in the future": "share_in_the_future",
    "not a product": "share_not_a_product",
}


@dataclass(frozen=True)
class Counts:
    """Counts of tenants' lines; each array is (tenants, weeks), week 0 the last."""

    usable: Mapping[str, Floats]
    """What ``count_usable`` counts, by its name."""
    unusable: Mapping[str, Floats]
    """Share of the profile -> the unusable lines that count in it; ``other`` for none."""
    orders: Floats
    """Orders without a customer."""

    @property
    def lines(self) -> Floats:
        """All lines, usable or not."""
        return self.usable["usable"] + sum(self.unusable.values())

    def earlier(self, weeks: int) -> Counts:
        """The same as they were so many weeks before."""
        return Counts(
            {name: count[:, weeks:] for name, count in self.usable.items()},
            {name: count[:, weeks:] for name, count in self.unusable.items()},
            self.orders[:, weeks:],
        )


def read_counts(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, *, weeks: int
) -> Counts:
    """Count lines up to and including as-of, and nothing later.

    Args:
        connection: an open connection.
        tenant_ids: each once; rows are in their order.
        as_of: with a time zone.
        weeks: number of weeks, back from as-of.
    """
    shape = (len(tenant_ids), weeks)
    unusable, orders = _count_unusable(connection, tenant_ids, as_of, shape)
    return Counts(_count_usable(connection, tenant_ids, as_of, shape), unusable, orders)


def _count_usable(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, shape: tuple[int, int]
) -> dict[str, Floats]:
    table = count_usable(
        connection, tenant_ids, as_of, weeks=shape[1], least_day_lines=LEAST_DAY_LINES
    )
    place = (table["tenant"].to_numpy(), table["week"].to_numpy())
    names = [name for name in table.column_names if name not in ("tenant", "week")]
    counts = {name: np.zeros(shape) for name in names}
    for name, count in counts.items():
        count[place] = table[name].to_numpy()
    return counts


def _count_unusable(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, shape: tuple[int, int]
) -> tuple[dict[str, Floats], Floats]:
    table = count_unusable_weeks(connection, tenant_ids, as_of, weeks=shape[1])
    counts = {share: np.zeros(shape) for share in (*_SHARE_OF_REASON.values(), "other")}
    orders = np.zeros(shape)
    for row in table.to_pylist():
        place = (row["tenant"], row["week"])
        counts[_SHARE_OF_REASON.get(row["reason"], "other")][place] += row["lines"]
        if row["reason"] == "no customer":
            orders[place] = row["orders"]
    return counts, orders
