"""Tenants' latest lines, usable or not, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from recfleet.database import Connection, read_arrow

_SCHEMA = pa.schema(
    [
        ("tenant", pa.int64()),
        ("microseconds", pa.int64()),
        *((name, pa.string()) for name in ("reason", "customer_id", "product_id")),
        *((name, pa.float64()) for name in ("quantity", "amount", "repetition")),
        ("line", pa.string()),
    ]
)
_LATEST = """
select tenant - 1, (extract(epoch from at) * 1000000)::bigint, reason, customer_id, product_id,
       quantity, amount, repetition, line
  from unnest(%s::text[]) with ordinality as asked (tenant_id, tenant)
 cross join (select %s::timestamptz, %s::timestamptz, %s::bigint) as night (as_of, since, most)
 cross join lateral (
       (select occurred_at as at, line_hash, null as reason, customer_id, product_id, quantity,
               amount, repetition, null as line
          from interaction
         where interaction.tenant_id = asked.tenant_id
           and occurred_at <= as_of and occurred_at > since
         order by occurred_at desc, line_hash desc
         limit most)
        union all
       (select placed_at, line_hash, reason, null, null, null, null, null, line::text
          from unusable_line
         where unusable_line.tenant_id = asked.tenant_id
           and placed_at <= as_of and placed_at > since
         order by placed_at desc, line_hash desc
         limit most)) as line
 order by tenant, at desc, line_hash desc
"""


def read_latest(
    connection: Connection,
    tenant_ids: Sequence[str],
    as_of: datetime,
    *,
    since: datetime,
    most: int,
) -> pa.Table:
    """Read tenants' lines of a window, each tenant's latest first.

    Args:
        connection: an open connection.
        tenant_ids: each once.
        as_of: nothing later is read.
        since: only lines after this time are read.
        most: most usable lines of a tenant, and most unusable ones.

    Returns:
        ``tenant``, the place in ``tenant_ids``; ``microseconds`` since 1970; of a usable line
        ``customer_id``, ``product_id``, ``quantity``, ``amount`` and ``repetition``; of an unusable
        one ``reason`` and ``line``, its content as JSON.
    """
    return read_arrow(connection, _LATEST, (list(tenant_ids), as_of, since, most), _SCHEMA)
