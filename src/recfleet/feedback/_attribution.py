"""Attribution: which purchases are credited to which answers, as SQL.

A purchase is a line of the tenant's purchases or, as long as these have no such line, an event
``bought``. It is credited once: to the answer that the application names (claimed), else to the
last time at which the customer was shown the product (matched), if that is within the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recfleet.database import Cursor

# A line whose time is midnight has only a date: it was bought some time that day, so it counts as
# of the day's end, else whatever was shown that day would come after it.
BOUGHT_AT = """
case when occurred_at = date_trunc('day', occurred_at)
     then occurred_at + interval '1 day' - interval '1 second' else occurred_at end
"""

# What the events of a customer are counted under: the exposure by the same answer, else the last
# one before.
EXPOSURE_OF = """
left join lateral (
  select exposure.channel, exposure.model_version, exposure.arm
    from exposure
   where exposure.tenant_id = %(tenant)s and exposure.customer_id = {of}.customer_id
     and exposure.answered_at <= {of}.{at} + interval '5 minutes'
     and exposure.answered_at >= {of}.{at} - %(window)s - interval '1 day'
   order by (exposure.answer_id = {of}.answer_id) is true desc, exposure.answered_at desc
   limit 1
) as exposed on true
"""

COUNTED = "standing in ('in time', 'late') and received_at < %(as_of)s and happened_at < %(as_of)s"
"""Events that count: early and impossible ones are kept, and count for nothing."""

_ATTRIBUTE = f"""
with told as (
  -- Two days more than are written, so that events and lines of neighbouring days find each other.
  select event_id, product_id, happened_at, answer_id,
         coalesce(quantity, 1) as quantity, coalesce(quantity, 1) * coalesce(amount, 0) as revenue,
         coalesce(event.customer_id, known.customer_id) as customer_id
    from event
    left join (
      select answer_id as of_answer, min(customer_id) as customer_id from event
       where tenant_id = %(tenant)s and answer_id is not null and {COUNTED}
         and received_at >= %(since)s - %(window)s - interval '10 days'
       group by answer_id
    ) as known on known.of_answer = event.answer_id and event.customer_id is null
   where tenant_id = %(tenant)s and kind = 'bought' and {COUNTED}
     and happened_at >= %(since)s - interval '2 days'
     and received_at >= %(since)s - interval '3 days'
), seen as (
  select customer_id, product_id, happened_at, answer_id, event_id
    from event
   where tenant_id = %(tenant)s and kind in ('shown', 'accepted') and customer_id is not null
     and {COUNTED} and happened_at >= %(since)s - %(window)s - interval '2 days'
     and received_at >= %(since)s - %(window)s - interval '3 days'
), line as (
  select occurred_at, line_hash, customer_id, product_id, quantity, amount,
         {BOUGHT_AT} as bought_at
    from purchase
   where tenant_id = %(tenant)s and quantity > 0
     and occurred_at >= %(since)s - interval '2 days' and occurred_at < %(as_of)s
     and customer_id in (select customer_id from seen union select customer_id from told)
), told_by_day as (
  select *, happened_at::date as day,
         row_number() over (partition by customer_id, product_id, happened_at::date
                            order by happened_at, event_id) as place
    from told
), line_by_day as (
  select *, occurred_at::date as day,
         row_number() over (partition by customer_id, product_id, occurred_at::date
                            order by bought_at, line_hash) as place
    from line
), of_one_day as (
  select event_id, occurred_at, line_hash
    from told_by_day join line_by_day using (customer_id, product_id, day, place)
), told_left as (
  select *, row_number() over (partition by customer_id, product_id
                               order by happened_at, event_id) as number
    from told_by_day where event_id not in (select event_id from of_one_day)
), line_left as (
  select *, row_number() over (partition by customer_id, product_id
                               order by bought_at, line_hash) as number
    from line_by_day
   where customer_id in (select customer_id from told_left)
     and (occurred_at, line_hash) not in (select occurred_at, line_hash from of_one_day)
), same as (
  select * from of_one_day
  union all
  select event_id, occurred_at, line_hash
    from told_left join line_left using (customer_id, product_id, number)
   where bought_at between happened_at - interval '1 day' and happened_at + interval '1 day'
), bought as (
  select line.customer_id, line.product_id, line.bought_at, line.occurred_at, line.line_hash,
         told.event_id, told.answer_id, line.quantity, line.amount as revenue
    from line
    left join same using (occurred_at, line_hash)
    left join told on told.event_id = same.event_id
  union all
  select customer_id, product_id, happened_at, null, null, event_id, answer_id, quantity, revenue
    from told where event_id not in (select event_id from same)
), numbered as (
  select row_number() over () as number, bought.*, made_at,
         made_at is not null and made_at <= bought_at + interval '5 minutes'
         and made_at > bought_at - %(window)s as is_claimed
    from bought
   cross join lateral (
     select to_timestamp(('x' || left(replace(answer_id::text, '-', ''), 12))::bit(48)::bigint
                         / 1000.0) as made_at
   ) as answer
   where bought_at >= %(since)s
), matched as (
  select distinct on (numbered.number) numbered.number, seen.happened_at, seen.answer_id
    from numbered
    join seen using (customer_id, product_id)
   where not numbered.is_claimed
     and seen.happened_at <= bought_at and seen.happened_at > bought_at - %(window)s
   order by numbered.number, seen.happened_at desc, seen.event_id
), credited as (
  select numbered.number, customer_id, product_id, bought_at, line_hash, event_id, quantity,
         revenue, case when is_claimed then 'claimed' else 'matched' end as way,
         case when is_claimed then made_at else matched.happened_at end as shown_at,
         case when is_claimed then numbered.answer_id else matched.answer_id end as answer_id
    from numbered
    left join matched using (number)
   where is_claimed or matched.number is not null
)
insert into attribution (
  tenant_id, day, bought_at, line_hash, event_id, customer_id, product_id, quantity, revenue, way,
  shown_at, answer_id, channel, kind, model_version, arm)
select %(tenant)s, bought_at::date, bought_at, line_hash, event_id, credited.customer_id,
       product_id, quantity, revenue, way, shown_at, credited.answer_id,
       coalesce(exposed.channel, 'unknown'),
       case when credited.customer_id is null then 'unknown'
            when exists (
              select from purchase
               where purchase.tenant_id = %(tenant)s
                 and purchase.customer_id = credited.customer_id
                 and purchase.product_id = credited.product_id and purchase.quantity > 0
                 and purchase.occurred_at < shown_at) then 'again'
            else 'new' end,
       exposed.model_version, exposed.arm
  from credited
{EXPOSURE_OF.format(of="credited", at="shown_at")}
"""  # noqa: S608 - only text of this file


def attribute(cursor: Cursor, asked: Mapping[str, Any]) -> None:
    """Attribute all purchases since a day; the rows of these days are gone already.

    Args:
        cursor: of the transaction.
        asked: ``tenant``; ``since`` (midnight of the first day), ``as_of`` and ``window``.
    """
    cursor.execute(_ATTRIBUTE, asked)
