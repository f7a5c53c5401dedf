"""What nights learned about the weights of the signals: each tenant's lines, the fleet's priors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extras import Json, execute_values

from recfleet.database import Connection


@dataclass(frozen=True)
class LearnedLine:
    """What a tenant's night learned about one line of its weights."""

    tenant_id: str
    line: str
    """Its name among the weights."""
    began: int
    """Place of the prior that it began at."""
    customers: int
    """Number of customers that it was learned from."""
    constant: float
    slopes: Mapping[str, float]
    """Feature -> coefficient."""


# Of two nights with one as-of, the later one counts; an older night changes nothing.
_WRITE = """
insert into learned_line
       (tenant_id, line, as_of, version, began, customers, constant, slopes) values %s
on conflict (tenant_id, line) do update
   set as_of = excluded.as_of, version = excluded.version, began = excluded.began,
       customers = excluded.customers, constant = excluded.constant, slopes = excluded.slopes
 where learned_line.as_of <= excluded.as_of
"""
_READ = """
select tenant_id, line, began, customers, constant, slopes from learned_line
 where as_of < %(as_of)s and as_of > %(as_of)s - %(days)s * interval '1 day'
   and version = %(version)s and tenant_id = any(%(tenants)s)
 order by tenant_id, line
"""


def write_learned(
    connection: Connection, lines: Sequence[LearnedLine], *, as_of: datetime, version: int
) -> None:
    """Write what tenants learned; of each tenant and line the latest stays. The caller commits.

    Args:
        connection: an open connection.
        lines: each tenant's, any number.
        as_of: the night's.
        version: of the features.
    """
    rows = [
        (
            one.tenant_id,
            one.line,
            as_of,
            version,
            one.began,
            one.customers,
            one.constant,
            Json(dict(one.slopes)),
        )
        for one in sorted(lines, key=lambda one: (one.tenant_id, one.line))
    ]
    if rows:
        with connection.cursor() as cursor:
            execute_values(cursor, _WRITE, rows, page_size=len(rows))


def read_learned(
    connection: Connection,
    tenant_ids: Collection[str],
    *,
    as_of: datetime,
    days: float,
    version: int,
) -> list[LearnedLine]:
    """What these tenants learned in the days before a night, by tenant and line.

    Args:
        connection: an open connection.
        tenant_ids: the tenants.
        as_of: the night's; what was learned then or later does not count.
        days: how far to look back.
        version: of the features; what other versions learned does not count.
    """
    asked = {"as_of": as_of, "days": days, "version": version, "tenants": sorted(tenant_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_READ, asked)
        return [LearnedLine(*row) for row in cursor]


def write_fleet_weights(
    connection: Connection, as_of: datetime, priors: Sequence[str], *, version: int
) -> None:
    """Fix the priors of the fleet's nights with this as-of; those that are there stay.

    Args:
        connection: an open connection; the caller commits.
        as_of: the night's.
        priors: the weights as text.
        version: of the features.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into fleet_weights (as_of, version, priors) values (%s, %s, %s) "
            "on conflict do nothing",
            (as_of, version, list(priors)),
        )


def read_fleet_weights(connection: Connection, as_of: datetime, *, version: int) -> list[str]:
    """The priors that the fleet had at a time, as text; none before its first night.

    Args:
        connection: an open connection.
        as_of: of a night of the fleet, or of a night of the past that is run again: then the last
            of the fleet before it counts.
        version: of the features.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select priors from fleet_weights where as_of <= %s and version = %s "
            "order by as_of desc limit 1",
            (as_of, version),
        )
        row = cursor.fetchone()
    return [] if row is None else list(row[0])


def forget_fleet_weights(connection: Connection, before: datetime) -> int:
    """Delete the priors of nights as of an earlier time, but the newest; returns how many.

    The caller commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from fleet_weights "
            "where as_of < %s and as_of < (select max(as_of) from fleet_weights)",
            (before,),
        )
        return cursor.rowcount


def forget_learned(connection: Connection, tenant_ids: Collection[str]) -> None:
    """Delete what these tenants learned; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from learned_line where tenant_id = any(%s)", (sorted(tenant_ids),))
