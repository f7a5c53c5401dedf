"""A night's partition of the recommendations."""

from __future__ import annotations

from collections.abc import Sequence

from recfleet.database import Connection

_OF_A_NIGHT = "recommendation_night_"

LOCK = "pg_advisory_xact_lock(hashtext('recfleet recommendation partitions'), 0)"
"""Lock for adding or removing partitions, held until the transaction ends."""

NIGHTS_OF_PARTITIONS = """
select class.relname, class.reltuples, bound.nights
  from pg_inherits
  join pg_class as class on class.oid = inhrelid
 cross join lateral (
   select array_agg(value[1]::bigint order by value[1]::bigint)
     from regexp_matches(pg_get_expr(class.relpartbound, class.oid), '\\d+', 'g') as value
 ) as bound (nights)
 where inhparent = 'recfleet.recommendation'::regclass
"""
"""Every partition: its name, its rows when it was last analyzed, and the nights it holds."""


def create_partition(connection: Connection, night_id: int) -> None:
    """Make the partition for a night's releases; does nothing when it is there.

    Safe to call twice, even at the same time. A function of the database's owner makes it, and
    locks no reader out.

    Args:
        connection: an open connection; the caller commits.
        night_id: the night's number in the ledger.
    """
    _make(connection, _OF_A_NIGHT, [night_id])


def create_shared_partition(connection: Connection, night_ids: Sequence[int]) -> None:
    """Make one partition for the releases of several nights, such as a backfill's.

    Every look-up considers every partition, so hundreds of new partitions would slow it down.
    Nights that have a partition keep it. Otherwise like ``create_partition``.

    Args:
        connection: an open connection; the caller commits.
        night_ids: numbers in the ledger.
    """
    _make(connection, "recommendation_backfill_", night_ids)


def _make(connection: Connection, name_begins: str, night_ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select make_partition(%s, %s::bigint[])", (name_begins, list(night_ids)))


def partition_name(night_id: int) -> str:
    """Name of a night's partition, in the schema recfleet."""
    return f"{_OF_A_NIGHT}{int(night_id)}"


def is_attached(connection: Connection, night_id: int) -> bool:
    """Whether the table has a partition for the night's rows: its own, or one of old nights."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select exists (select from ({NIGHTS_OF_PARTITIONS}) as known "  # noqa: S608
            "where %s = any(nights))",
            (night_id,),
        )
        [(attached,)] = cursor.fetchall()
    return bool(attached)
