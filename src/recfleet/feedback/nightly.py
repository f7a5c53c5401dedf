"""Every night: attribution, the KPIs of days that have changed, what recommending brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg2
import structlog

from recfleet.database import Connection, Cursor, read_rows, transaction
from recfleet.feedback._attribution import attribute
from recfleet.feedback._incremental import write_incremental
from recfleet.feedback._kpis import count_days
from recfleet.tenants import get_tenants

log = structlog.get_logger(__name__)

_UNDER_WAY = timedelta(hours=1)
"""Events may be committed so long after the time of their arrival."""
_DAY = timedelta(days=1)

# One query for the whole fleet, two probes of an index for each tenant.
_DUE = """
select tenant_id from roster
 where (%(only)s::text[] is null or tenant_id = any (%(only)s))
   and (exists (select from event where event.tenant_id = roster.tenant_id)
        or exists (select from exposure where exposure.tenant_id = roster.tenant_id))
 order by tenant_id
"""
# The first day of which anything is known that has to do with answers.
_FIRST = """
select least((select min(day) from exposure where tenant_id = %(tenant)s),
             (select min(happened_at)::date from event
               where tenant_id = %(tenant)s and standing in ('in time', 'late')
                 and received_at < %(as_of)s)) as first
"""
_NEWS = """
select min(happened_at)::date as first from event
 where tenant_id = %(tenant)s and standing in ('in time', 'late')
   and received_at >= %(seen)s and received_at < %(as_of)s
"""
# Lines and hashes of each day's purchases; a load, or a load taken back, changes them.
_PURCHASES = """
select occurred_at::date as day, count(*) as lines, bit_xor(line_hash) as hashes
  from purchase
 where tenant_id = %(tenant)s and occurred_at >= %(first)s and occurred_at < %(as_of)s
 group by occurred_at::date
"""
_CHANGED = f"""
with now as ({_PURCHASES}), before as (
  select day, lines, hashes from attributed_day where tenant_id = %(tenant)s and day >= %(first)s
)
select min(day) as first
  from now full join before using (day)
 where (now.lines, now.hashes) is distinct from (before.lines, before.hashes)
"""  # noqa: S608 - only text of this file


@dataclass(frozen=True)
class Attributed:
    """What a night's attribution has done."""

    tenants: int
    """Tenants with events or exposures."""
    failed: dict[str, str] = field(default_factory=dict)
    """Tenant -> why; everything of theirs is as it was, and the next night tries again."""


def attribute_fleet(
    connection: Connection, as_of: datetime, only: Sequence[str] | None = None
) -> Attributed:
    """Attribute what was bought, for each tenant with events or exposures; commits each tenant.

    Safe to kill, to run again, and to run twice at once. A tenant's trouble stays that tenant's.

    Args:
        connection: of the writer's role, outside any transaction.
        as_of: nothing later is seen.
        only: these tenants; None: all.

    Raises:
        psycopg2.OperationalError: Postgres is away; what is done stays done.
    """
    with transaction(connection):
        named = None if only is None else list(only)
        due = [row["tenant_id"] for row in read_rows(connection, _DUE, {"only": named})]
        tenants = get_tenants(connection, due) if due else []
    failed: dict[str, str] = {}
    for tenant in tenants:
        policy = tenant.policy
        try:
            with transaction(connection):
                attribute_tenant(
                    connection,
                    tenant.tenant_id,
                    as_of,
                    window_days=policy.attribution_days,
                    keep_days=policy.keep_events_days,
                )
        except psycopg2.OperationalError:
            raise
        except Exception as error:
            failed[tenant.tenant_id] = f"{type(error).__name__}: {error}".splitlines()[0]
            log.exception("attribution failed", tenant=tenant.tenant_id)
    return Attributed(len(tenants), failed)


def attribute_tenant(
    connection: Connection, tenant_id: str, as_of: datetime, *, window_days: int, keep_days: int
) -> date | None:
    """Bring a tenant's attribution, KPIs and comparison up to a time; the caller commits.

    Days of which nothing has changed stay as they are. Late events and purchases, and purchases
    that were taken back, have the days made again on which they bear.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        as_of: nothing later is seen.
        window_days: the policy's ``attribution_days``.
        keep_days: the policy's ``keep_events_days``; what depends on events that may be gone stays.

    Returns:
        The first day that was made again; None: there was nothing to do.
    """
    asked: dict[str, Any] = {"tenant": tenant_id, "as_of": as_of}
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtextextended('attribution ' || %s, 0))", (tenant_id,)
        )
        known = read_rows(
            connection,
            "select as_of, window_days, since from attributed where tenant_id = %s",
            (tenant_id,),
        )
        state = known[0] if known else None
        if state is not None and state["as_of"] > as_of:
            return None  # an older night, run late: the newer one has seen everything
        first = _first(connection, asked, state, as_of, timedelta(days=keep_days - window_days))
        if first is None:
            return None
        since = first
        if state is not None and state["window_days"] == window_days:
            since = _changed_since(connection, {**asked, "first": first}, state)
        asked |= {
            "first": first,
            "since": datetime.combine(max(since, first), time(), UTC),
            "window": timedelta(days=window_days),
        }
        for table in ("attribution", "kpi_day", "attributed_day"):
            cursor.execute(
                f"delete from {table} where tenant_id = %(tenant)s and day >= %(since)s::date",  # noqa: S608
                asked,
            )
        # The planner knows nothing of how many events are left at each step, and to join two lists
        # by loops takes for ever when it takes one of them for short.
        cursor.execute("set local enable_nestloop = off; set local jit = off")
        attribute(cursor, asked)
        count_days(cursor, asked)
        cursor.execute("set local enable_nestloop = on; set local jit = on")
        _note(cursor, asked, window_days)
    write_incremental(
        connection,
        tenant_id,
        since=as_of - timedelta(days=keep_days),
        as_of=as_of,
        window=asked["window"],
    )
    return max(since, first)


def _first(
    connection: Connection,
    asked: dict[str, Any],
    state: dict[str, Any] | None,
    as_of: datetime,
    kept: timedelta,
) -> date | None:
    """The first day that may be made again: events of earlier ones may be deleted already."""
    [row] = read_rows(connection, _FIRST, asked)
    first: date | None = row["first"]
    if first is None or state is None:
        return first
    earliest: date = state["since"]
    return max(min(first, earliest), (as_of - kept).date())


def _changed_since(connection: Connection, asked: dict[str, Any], state: dict[str, Any]) -> date:
    """The first day on which anything new bears."""
    [events] = read_rows(connection, _NEWS, {**asked, "seen": state["as_of"] - _UNDER_WAY})
    [purchases] = read_rows(connection, _CHANGED, asked)
    # Exposures may have waited in the service's memory.
    days: list[date] = [state["as_of"].date() - _DAY]
    if events["first"] is not None:
        days.append(events["first"] - _DAY)  # an event may tell of a purchase of the day before
    if purchases["first"] is not None:
        days.append(purchases["first"])
    return min(days)


def _note(cursor: Cursor, asked: dict[str, Any], window_days: int) -> None:
    cursor.execute(
        "insert into attributed_day (tenant_id, day, lines, hashes) "  # noqa: S608
        f"select %(tenant)s, day, lines, hashes from ({_PURCHASES}) as now "
        "where day >= %(since)s::date",
        asked,
    )
    cursor.execute(
        "insert into attributed (tenant_id, as_of, window_days, since) "
        "values (%(tenant)s, %(as_of)s, %(days)s, %(first)s) "
        "on conflict (tenant_id) do update set as_of = excluded.as_of, "
        "window_days = excluded.window_days, since = excluded.since",
        {**asked, "days": window_days},
    )
