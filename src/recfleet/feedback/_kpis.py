"""KPIs of a day by channel, kind, model version and arm, as SQL; and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recfleet.database import Cursor
from recfleet.feedback._attribution import COUNTED, EXPOSURE_OF

_COUNT = f"""
with told as (
  select customer_id, product_id, answer_id, happened_at::date as day, min(happened_at) as at,
         count(*) filter (where kind = 'shown') as shown,
         count(*) filter (where kind = 'accepted') as accepted,
         count(*) filter (where kind = 'rejected') as rejected
    from event
   where tenant_id = %(tenant)s and kind <> 'bought' and {COUNTED} and happened_at >= %(since)s
     and received_at >= %(since)s - interval '1 day'
   group by customer_id, product_id, answer_id, happened_at::date
), answered as (
  select customer_id, answer_id, day, min(at) as at
    from told group by customer_id, answer_id, day
), placed as (
  select answered.customer_id, answered.answer_id, answered.day,
         coalesce(exposed.channel, 'unknown') as channel, exposed.model_version, exposed.arm
    from answered
{EXPOSURE_OF.format(of="answered", at="at")}
), first as (
  select customer_id, product_id, min(occurred_at) as bought_first
    from purchase
   where tenant_id = %(tenant)s and quantity > 0 and occurred_at < %(as_of)s
     and customer_id in (select customer_id from told)
   group by customer_id, product_id
), counted as (
  select told.day, channel, model_version, arm, told.customer_id, shown, accepted, rejected,
         case when told.customer_id is null then 'unknown'
              when bought_first < told.at then 'again' else 'new' end as kind
    from told
    -- Equal, though either may be null; only so the join is a hash join.
    join placed on placed.day = told.day
     and coalesce(placed.customer_id, '') = coalesce(told.customer_id, '')
     and coalesce(placed.answer_id::text, '') = coalesce(told.answer_id::text, '')
    left join first on first.customer_id = told.customer_id and first.product_id = told.product_id
), part as (
  select day, channel, 'all' as kind, model_version, arm, count(*) as lists, 0 as customers,
         0 as shown, 0 as accepted, 0 as rejected, 0 as purchases, 0 as claimed,
         0::double precision as revenue
    from exposure
   where tenant_id = %(tenant)s and day >= %(since)s::date and answered_at < %(as_of)s
   group by day, channel, model_version, arm
  union all
  select day, channel, 'all', model_version, arm, 0,
         count(distinct customer_id) filter (where shown > 0), 0, 0, 0, 0, 0, 0
    from counted group by day, channel, model_version, arm
  union all
  select day, channel, kind, model_version, arm, 0, 0, sum(shown), sum(accepted), sum(rejected),
         0, 0, 0
    from counted group by day, channel, kind, model_version, arm
  union all
  select day, channel, kind, model_version, arm, 0, 0, 0, 0, 0, count(*),
         count(*) filter (where way = 'claimed'), sum(revenue)
    from attribution
   where tenant_id = %(tenant)s and day >= %(since)s::date
   group by day, channel, kind, model_version, arm
)
insert into kpi_day (
  tenant_id, day, channel, kind, model_version, arm, lists, customers, shown, accepted, rejected,
  purchases, claimed, revenue)
select %(tenant)s, day, channel, kind, model_version, arm, sum(lists), sum(customers), sum(shown),
       sum(accepted), sum(rejected), sum(purchases), sum(claimed), sum(revenue)
  from part group by day, channel, kind, model_version, arm
"""  # noqa: S608 - only text of this room


def count_days(cursor: Cursor, asked: Mapping[str, Any]) -> None:
    """Count the KPIs of all days since one; their rows are gone already, and attribution is done.

    Args:
        cursor: of the transaction.
        asked: as for ``attribute``.
    """
    cursor.execute(_COUNT, asked)
