"""Counts of tenants' lines, week by week back from a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from recfleet.database import Connection, Row, read_arrow, read_rows

# Ages are counted back from as-of, in whole days and weeks. The joins walk the tables' indexes
# tenant by tenant and touch no line outside the weeks asked for.
_USABLE = """
with day as (
  select tenant,
         floor(extract(epoch from as_of - occurred_at) / 86400)::integer as age,
         count(*) as usable,
         count(distinct hashtextextended(customer_id, 0)) as visits,
         count(*) filter (where repetition > 1) as repeated,
         count(*) filter (where quantity < 0) as returned,
         count(*) filter (where quantity > 0) as sold,
         count(*) filter (where quantity > 0 and not (amount > 0 and amount < 'infinity'))
           as without_price
    from unnest(%s::text[]) with ordinality as asked (tenant_id, tenant)
   cross join (select %s::timestamptz) as night (as_of)
    join interaction using (tenant_id)
   where occurred_at <= as_of and occurred_at > as_of - make_interval(weeks => %s)
   group by tenant, age
)
select tenant - 1, age / 7, sum(usable), sum(visits), sum(repeated), sum(returned), sum(sold),
       sum(without_price), count(*) filter (where usable >= %s and repeated >= 0.4 * usable)
  from day
 group by tenant, age / 7
"""
USABLE_COUNTS = (
    "usable", "visits", "repeated", "returned", "sold", "without_price", "repeated_days",
)  # fmt: skip
"""The counts of a tenant's usable lines in a week."""

_UNUSABLE = """
select tenant - 1,
       floor(extract(epoch from as_of - placed_at) / 604800)::integer as week,
       count(*),
       count(distinct placed_at),
       reason
  from unnest(%s::text[]) with ordinality as asked (tenant_id, tenant)
 cross join (select %s::timestamptz) as night (as_of)
  join unusable_line using (tenant_id)
 where placed_at <= as_of and placed_at > as_of - make_interval(weeks => %s)
 group by tenant, week, reason
"""

_LATELY = """
select tenant - 1, extract(epoch from as_of - last_line) / 86400, customers, products
  from unnest(%s::text[]) with ordinality as asked (tenant_id, tenant)
 cross join (select %s::timestamptz) as night (as_of)
 cross join lateral (
       select max(occurred_at) as last_line
         from interaction
        where interaction.tenant_id = asked.tenant_id and occurred_at <= as_of) as ever
 cross join lateral (
       select count(distinct hashtextextended(customer_id, 0)) as customers,
              count(distinct hashtextextended(product_id, 0)) as products
         from interaction
        where interaction.tenant_id = asked.tenant_id and occurred_at <= as_of
          and occurred_at > as_of - make_interval(weeks => %s)) as lately
"""


_OF_ONE_TENANT = """
with span as (
  select min(occurred_at) as first, greatest(max(occurred_at), %(until)s::timestamptz) as last
    from interaction where tenant_id = %(tenant)s),
counted as (
  select floor(extract(epoch from last - occurred_at) / 604800)::int as ago,
         count(*) as lines, count(distinct customer_id) as customers
    from interaction cross join span
   where tenant_id = %(tenant)s
     and occurred_at > last - %(weeks)s * interval '7 days' and occurred_at <= last
   group by 1)
select last - ago * interval '7 days' as until,
       coalesce(lines, 0) as lines, coalesce(customers, 0) as customers
  from span cross join generate_series(0, %(weeks)s - 1) as ago
  left join counted using (ago)
 where first is not null
   and (ago = 0 or last - (ago + 1) * interval '7 days' >= first - interval '1 day')
 order by ago desc
"""


def count_weekly(
    connection: Connection, tenant_id: str, *, weeks: int, until: datetime | None
) -> list[Row]:
    """Count one tenant's lines and customers of each seven days, the earliest first.

    Weeks are counted back from the last line, or from ``until`` if that is later, so that no week
    is only half counted. The week of the first line is left out.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        weeks: most weeks to count.
        until: a time up to which all lines are known; None without such a time.

    Returns:
        ``until``, the end of the seven days; ``lines``; ``customers``. Nothing for a tenant without
        lines.
    """
    parameters = {"tenant": tenant_id, "weeks": weeks, "until": until}
    return read_rows(connection, _OF_ONE_TENANT, parameters)


def count_usable(
    connection: Connection,
    tenant_ids: Sequence[str],
    as_of: datetime,
    *,
    weeks: int,
    least_day_lines: int,
) -> pa.Table:
    """Count tenants' usable lines in each of the last weeks.

    A visit is what one customer bought on one day. A day is repeated when at least two fifths of
    its lines occur twice.

    Args:
        connection: an open connection.
        tenant_ids: each once.
        as_of: nothing later is counted.
        weeks: number of weeks, back from as-of.
        least_day_lines: a day with fewer lines is never a repeated day.

    Returns:
        Integers: ``tenant``, the place in ``tenant_ids``; ``week``, 0 for the last before as-of;
        and ``USABLE_COUNTS``. Weeks without a line are left out.
    """
    schema = pa.schema([(name, pa.int64()) for name in ("tenant", "week", *USABLE_COUNTS)])
    parameters = (list(tenant_ids), as_of, weeks, least_day_lines)
    return read_arrow(connection, _USABLE, parameters, schema)


def count_unusable_weeks(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, *, weeks: int
) -> pa.Table:
    """Count tenants' unusable lines in each of the last weeks, by reason.

    Args:
        connection: an open connection.
        tenant_ids: each once.
        as_of: nothing later is counted.
        weeks: number of weeks, back from as-of.

    Returns:
        ``tenant`` and ``week`` as in ``count_usable``; ``lines``; ``orders``, how many
        different times these lines have; and ``reason``, a text.
    """
    schema = pa.schema([(name, pa.int64()) for name in ("tenant", "week", "lines", "orders")])
    schema = schema.append(pa.field("reason", pa.string()))
    return read_arrow(connection, _UNUSABLE, (list(tenant_ids), as_of, weeks), schema)


def count_lately(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, *, weeks: int
) -> pa.Table:
    """Count tenants' customers and products of the last weeks, and the days since the last line.

    Args:
        connection: an open connection.
        tenant_ids: each once.
        as_of: nothing later is counted.
        weeks: number of weeks, back from as-of, for customers and products.

    Returns:
        ``tenant``, the place in ``tenant_ids``, and as floating-point numbers
        ``days_since_last_line`` (the last usable line, however old; null if there is none),
        ``customers`` and ``products``; a row for each tenant.
    """
    values = ("days_since_last_line", "customers", "products")
    schema = pa.schema([("tenant", pa.int64()), *((name, pa.float64()) for name in values)])
    return read_arrow(connection, _LATELY, (list(tenant_ids), as_of, weeks), schema)
