"""A night's partition of the recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


def create_partition(connection: Connection, night_id: int) -> None:
    """Make the partition that a night's releases are written to; does nothing when it is there.

    Safe to call twice and at the same time. The table is made on its own and attached afterwards,
    because ``create table … partition of`` would shut readers out of every partition until the
    caller commits.

    Args:
        connection: an open connection; the caller commits.
        night_id: the night's number in the ledger.
    """
    table = sql.Identifier("recfleet", partition_name(night_id))
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtext('recfleet recommendation partitions'), 0)"
        )
        if is_attached(connection, night_id):
            return
        cursor.execute(
            sql.SQL(
                "create table if not exists {table} (like recfleet.recommendation including all, "
                "check (night_id = {night}))"
            ).format(table=table, night=sql.Literal(night_id))
        )
        cursor.execute(
            sql.SQL(
                "alter table recfleet.recommendation attach partition {table} "
                "for values in ({night})"
            ).format(table=table, night=sql.Literal(night_id))
        )


def partition_name(night_id: int) -> str:
    """Name of a night's partition, in the schema recfleet."""
    return f"recommendation_night_{int(night_id)}"


def is_attached(connection: Connection, night_id: int) -> bool:
    """Whether the night's partition is part of the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_inherits where inhrelid = to_regclass(%s))",
            (f"recfleet.{partition_name(night_id)}",),
        )
        [(attached,)] = cursor.fetchall()
    return bool(attached)
