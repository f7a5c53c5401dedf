"""What came of customers who were given answers, by which ways of serving are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection, read_rows
from recfleet.feedback._attribution import BOUGHT_AT, COUNTED
from recfleet.feedback._exposures import Channel


@dataclass(frozen=True)
class Outcomes:
    """A row a customer who was exposed; all arrays have one length.

    Customers of the control and of arms that show nothing are among them: they were given an
    answer, too.
    """

    customer_ids: NDArray[np.object_]
    exposed_at: NDArray[np.object_]
    """The first exposure since the beginning, a ``datetime`` in UTC."""
    channels: NDArray[np.object_]
    """``pull`` or ``push``, of the first exposure."""
    arms: NDArray[np.object_]
    """As at the first exposure; None: no experiment; ``control``: kept out by lot."""
    model_versions: NDArray[np.object_]
    """Of the first exposure; None: no model."""
    is_mixed: NDArray[np.bool_]
    """Whether the customer met another arm later, within the window."""
    is_complete: NDArray[np.bool_]
    """Whether the window has passed at as-of."""
    accepts: NDArray[np.float64]
    """Products that the customer accepted within the window."""
    purchases: NDArray[np.float64]
    """Purchase lines within the window, without returns."""
    revenue: NDArray[np.float64]
    """Money for all purchase lines within the window, less returns."""
    revenue_before: NDArray[np.float64]
    """The same for as long before the first exposure: the covariate."""

    def __len__(self) -> int:
        return len(self.customer_ids)


_OUTCOMES = f"""
with first as (
  select distinct on (customer_id) customer_id, answered_at, channel, arm, model_version
    from exposure
   where tenant_id = %(tenant)s and day >= (%(since)s at time zone 'UTC')::date
     and answered_at >= %(since)s and answered_at < %(as_of)s
     and (%(channel)s::text is null or channel = %(channel)s)
     and (%(arms)s::text[] is null or arm = any(%(arms)s))
   order by customer_id, answered_at, channel
)
-- Each customer by probes of indexes, whatever the planner knows of the tables.
select first.*, answered_at + %(window)s <= %(as_of)s as is_complete,
       exists (
         select from exposure
          where exposure.tenant_id = %(tenant)s and exposure.customer_id = first.customer_id
            and exposure.arm is distinct from first.arm
            and exposure.answered_at > first.answered_at
            and exposure.answered_at < least(first.answered_at + %(window)s, %(as_of)s)
       ) as is_mixed,
       coalesce(accepts, 0) as accepts, coalesce(purchases, 0) as purchases,
       coalesce(revenue, 0) as revenue, coalesce(revenue_before, 0) as revenue_before
  from first
 cross join lateral (
   select count(*) filter (where quantity > 0 and bought_at >= answered_at) as purchases,
          sum(amount) filter (where bought_at >= answered_at) as revenue,
          sum(amount) filter (where bought_at < answered_at) as revenue_before
     from purchase
    cross join lateral (select {BOUGHT_AT} as bought_at) as line
    where purchase.tenant_id = %(tenant)s and purchase.customer_id = first.customer_id
      and occurred_at < %(as_of)s
      and bought_at >= answered_at - %(window)s and bought_at < answered_at + %(window)s
 ) as bought
 cross join lateral (
   select count(*) as accepts
     from event
    where event.tenant_id = %(tenant)s and event.customer_id = first.customer_id
      and kind = 'accepted' and {COUNTED}
      and happened_at >= answered_at and happened_at < answered_at + %(window)s
 ) as accepted
 order by customer_id
"""  # noqa: S608 - only text of this room


def read_outcomes(
    connection: Connection,
    tenant_id: str,
    *,
    since: datetime,
    as_of: datetime,
    window: timedelta,
    channel: Channel | None = None,
    arms: Sequence[str] | None = None,
) -> Outcomes:
    """What came of each customer who was given an answer; the caller ends the transaction.

    Revenue counts all purchases of the customer, not only those of products that were shown: what
    an arm brings besides, or takes away elsewhere, counts as well.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        since: exposures before do not count.
        as_of: nothing later is seen.
        window: from a customer's first exposure on; as much before it is the covariate's.
        channel: only exposures by this one count; None: all do.
        arms: only exposures in these count; None: all do.
    """
    rows = read_rows(
        connection,
        _OUTCOMES,
        {
            "tenant": tenant_id,
            "since": since,
            "as_of": as_of,
            "window": window,
            "channel": channel,
            "arms": None if arms is None else list(arms),
        },
    )

    def column(name: str, kind: Any) -> Any:
        values = np.empty(len(rows), dtype=kind)
        values[:] = [row[name] for row in rows]
        return values

    return Outcomes(
        customer_ids=column("customer_id", object),
        exposed_at=column("answered_at", object),
        channels=column("channel", object),
        arms=column("arm", object),
        model_versions=column("model_version", object),
        is_mixed=column("is_mixed", bool),
        is_complete=column("is_complete", bool),
        accepts=column("accepts", float),
        purchases=column("purchases", float),
        revenue=column("revenue", float),
        revenue_before=column("revenue_before", float),
    )
