"""What an experiment would need, from a tenant's own customers of a past period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.experiments._look import values_of
from recfleet.experiments._table import Kpi
from recfleet.feedback import read_outcomes
from recfleet.statistics import Plan, plan_experiment

# Where nobody was given an answer yet, whoever buys would have been, on the first purchase's day.
_BUYERS = """
with bought as (
  select customer_id, occurred_at, quantity, amount,
         min(occurred_at) filter (where occurred_at >= %(since)s and quantity > 0)
           over (partition by customer_id) as first
    from purchase
   where tenant_id = %(tenant)s and customer_id is not null
     and occurred_at >= %(since)s - %(window)s and occurred_at < %(as_of)s
)
select extract(epoch from first - %(since)s) / 86400,
       sum(amount) filter (where occurred_at >= first and occurred_at < first + %(window)s),
       count(*) filter (where occurred_at >= first and occurred_at < first + %(window)s
                          and quantity > 0),
       coalesce(sum(amount) filter (where occurred_at < first
                                      and occurred_at >= first - %(window)s), 0)
  from bought
 where first + %(window)s <= %(as_of)s
 group by customer_id, first
 order by customer_id
"""


@dataclass(frozen=True)
class Past:
    """Customers of a past period, as if they had been in an experiment."""

    values: NDArray[np.float64]
    """(m,) of the KPI within the window."""
    before: NDArray[np.float64]
    """(m,) revenue within as many days before."""
    first_days: NDArray[np.int64]
    """(m,) day of the period on which each was first exposed."""
    is_exposed: bool
    """False: nobody was given an answer, and whoever bought stands for those who will be."""


def plan_for(
    connection: Connection,
    tenant_id: str,
    *,
    kpi: Kpi,
    effect: float,
    share: float,
    days: int,
    window: int,
    as_of: datetime,
) -> tuple[Plan, Past]:
    """Plan an experiment of two equal arms; the caller ends the transaction.

    Args:
        connection: an open connection.
        tenant_id: the tenant; it exists.
        kpi: what decides.
        effect: relative, such as 0.05 for 5%.
        share: of the tenant's customers, in both arms together.
        days: of exposure that the tenant would wait at most; the past period is as long.
        window: days after a customer's first exposure that count.
        as_of: the end of the past period and of its last windows.

    Raises:
        BadInputError: there is nobody to plan with, or the numbers cannot be meant.
    """
    past = _past(connection, tenant_id, kpi, days=days, window=window, as_of=as_of)
    if not len(past.values):
        raise BadInputError(
            f"{tenant_id} has no customer of the {days + window} days up to {as_of:%Y-%m-%d} to "
            "plan with: name a later time with --as-of, or more --days."
        )
    try:
        plan = plan_experiment(
            past.values,
            past.first_days,
            days=days,
            shares=(share / 2, share / 2),
            effect=effect,
            window=window,
            before=past.before,
        )
    except ValueError as error:
        raise BadInputError(f"{error}.") from None
    return plan, past


def _past(
    connection: Connection, tenant_id: str, kpi: Kpi, *, days: int, window: int, as_of: datetime
) -> Past:
    since = as_of - timedelta(days=days + window)
    found = read_outcomes(
        connection, tenant_id, since=since, as_of=as_of, window=timedelta(days=window)
    )
    if len(found):
        of = found.is_complete
        first = np.array([(at - since).days for at in found.exposed_at[of]], np.int64)
        return Past(
            values_of(found, kpi)[of],
            found.revenue_before[of],
            np.clip(first, 0, days - 1),
            is_exposed=True,
        )
    if kpi == "accepts":
        raise BadInputError(
            f"Nobody was given an answer of {tenant_id} up to {as_of:%Y-%m-%d}, so nobody knows "
            "how often its customers accept: plan with --kpi revenue or purchases."
        )
    with connection.cursor() as cursor:
        cursor.execute(
            _BUYERS,
            {
                "tenant": tenant_id,
                "since": since,
                "as_of": as_of,
                "window": timedelta(days=window),
            },
        )
        rows = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, 4)
    return Past(
        rows[:, 1 if kpi == "revenue" else 2],
        rows[:, 3],
        np.clip(rows[:, 0].astype(np.int64), 0, days - 1),
        is_exposed=False,
    )
