"""Faults of the last week, put into every shop at once; the caller rolls them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from recfleet.database import Connection

_LOSE = """
with gone as (
  delete from interaction where tenant_id = any(%(shops)s) and occurred_at <= %(as_of)s
     and occurred_at > %(since)s and abs(hashtext(customer_id)::bigint) %% 100 < {share}
  returning tenant_id, occurred_at, line_hash
)
insert into unusable_line (tenant_id, placed_at, line_hash, reason, line)
select tenant_id, occurred_at, line_hash, '{reason}', '{{}}' from gone
"""
_CHANGE = """
update interaction set {changes} where tenant_id = any(%(shops)s) and occurred_at <= %(as_of)s
   and occurred_at > %(since)s
"""
_DOUBLE_A_DAY = """
insert into interaction
select tenant_id, occurred_at, hashint8extended(line_hash, 7), customer_id, product_id, quantity,
       amount, repetition + 1
  from interaction where tenant_id = any(%(shops)s)
   and occurred_at <= %(as_of)s - interval '3 days'
   and occurred_at > %(as_of)s - interval '4 days'
"""

FAULTS: Mapping[str, str] = {
    "half of the customers' ids are lost": _LOSE.format(share=50, reason="no customer"),
    "all customers' ids are lost": _LOSE.format(share=100, reason="no customer"),
    "half of the times cannot be read": _LOSE.format(share=50, reason="unreadable time"),
    "dates are of the coming month": _LOSE.format(share=100, reason="time in the future"),
    "dates are of four weeks ago": _CHANGE.format(
        changes="occurred_at = occurred_at - interval '28 days', line_hash = -line_hash"
    ),
    "a day comes twice": _DOUBLE_A_DAY,
    "prices are zero": _CHANGE.format(changes="amount = 0"),
    "quantities are times 100": _CHANGE.format(
        changes="quantity = 100 * quantity, amount = 100 * amount"
    ),
    "products have new ids": _CHANGE.format(changes="product_id = 'new-' || product_id"),
}
"""What went wrong -> the statement that does it to the lines of the last 7 days."""


def break_shops(connection: Connection, fault: str, shops: list[str], as_of: datetime) -> None:
    """Put the fault into the shops' last week."""
    with connection.cursor() as cursor:
        cursor.execute(
            FAULTS[fault],
            {"shops": shops, "as_of": as_of, "since": as_of - timedelta(weeks=1)},
        )
