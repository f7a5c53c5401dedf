"""What the record still needs, and deleting what is past its retention."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from recfleet.database import Connection
from recfleet.record.fits import LONGEST_GAP
from recfleet.record.weights import forget_learned


def running_nights(connection: Connection) -> list[int]:
    """The nights that are not closed; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select night_id from night where status = 'running' order by night_id")
        return [night_id for (night_id,) in cursor]


def stuck_nights(connection: Connection, before: datetime) -> list[tuple[int, datetime]]:
    """Nights that began before a time and are not closed, each with its beginning."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, started_at from night where status = 'running' and started_at < %s",
            (before,),
        )
        return cursor.fetchall()


def ended_nights(connection: Connection, before: datetime) -> set[int]:
    """The nights that ended before a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id from night "
            "where status <> 'running' and coalesce(finished_at, started_at) < %s",
            (before,),
        )
        return {night_id for (night_id,) in cursor}


def nights_since(connection: Connection, since: datetime) -> list[int]:
    """The nights that ended, or began and have not ended, at a time or later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id from night where coalesce(finished_at, started_at) >= %s", (since,)
        )
        return [night_id for (night_id,) in cursor]


def count_nights(connection: Connection, night_ids: Collection[int]) -> int:
    """How many of these nights still exist."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from night where night_id = any(%s)", (sorted(night_ids),))
        [(nights,)] = cursor.fetchall()
    return int(nights)


# --- Rows of one night ----------------------------------------------------------------------------


def hold_ended_night(connection: Connection, night_id: int) -> bool:
    """Keep a night from being begun again until the transaction ends; returns whether it has ended.

    If somebody is beginning the night again, the call waits; then the night has not ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select from night where night_id = %s and status <> 'running' for update", (night_id,)
        )
        return cursor.fetchone() is not None


def delete_shard_runs(connection: Connection, night_id: int) -> int:
    """Delete the rows on what a night's shards cost; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute("delete from shard_run where night_id = %s", (night_id,))
        return cursor.rowcount


def delete_ledger(connection: Connection, night_id: int, *, besides: Collection[str]) -> int:
    """Delete a night's rows of the ledger; returns how many.

    Rows with an intent stay, because somebody still has to end that change.

    Args:
        connection: an open connection.
        night_id: the night.
        besides: tenants whose rows stay: plan compares the basis of a live release with the data
            to see whether anything is new.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from ledger where night_id = %s and intent is null and tenant_id <> all(%s)",
            (night_id, list(besides)),
        )
        return cursor.rowcount


def delete_unnamed_night(connection: Connection, night_id: int) -> int:
    """Delete a night if nothing on record names it any more; returns 1 if it is gone, else 0.

    The caller has checked that it has no release.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from night where night_id = %(night)s "
            "and not exists (select from history where history.night_id = night.night_id) "
            "and not exists (select from approval where approval.night_id = night.night_id) "
            "and not exists (select from champion where champion.night_id = night.night_id) "
            "and not exists (select from ledger where ledger.night_id = night.night_id)",
            {"night": night_id},
        )
        return cursor.rowcount


# --- Everything of one tenant ---------------------------------------------------------------------


def night_under_way(connection: Connection, tenant_id: str) -> str | None:
    """The run of a night that still works on a tenant; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select run_id from ledger join night using (night_id) "
            "where tenant_id = %s and status = 'running' and outcome is null limit 1",
            (tenant_id,),
        )
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def delete_record_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete a tenant's nights, approvals, champion and weights; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    forget_learned(connection, [tenant_id])
    with connection.cursor() as cursor:
        cursor.execute("delete from approval where tenant_id = %s", (tenant_id,))
        counts["approvals"] = cursor.rowcount
        cursor.execute("delete from champion where tenant_id = %s", (tenant_id,))
        cursor.execute("delete from ledger where tenant_id = %s", (tenant_id,))
        counts["nights"] = cursor.rowcount
    return counts


# --- Models ---------------------------------------------------------------------------------------


class NeededModel(NamedTuple):
    """A model that must stay in MLflow."""

    tenant_id: str
    run_id: str
    version: int | None
    """None: the model may not have a version yet."""
    why: str


# In the order of the reasons: people read the first one.
_NEEDED = """
select tenant_id, run_id, null::integer, 'of a night that is running'
  from ledger cross join unnest(array[challenger ->> 'run_id', intent ->> 'promote']) as run_id
 where night_id = any(%(running)s) and tenant_id = any(%(tenants)s) and run_id is not null
union all
select tenant_id, intent ->> 'promote', null::integer, 'of a promotion that is not done'
  from ledger where intent ? 'promote' and tenant_id = any(%(tenants)s)
union all
select tenant_id, run_id, version, 'awaits approval'
  from approval where status = 'waiting' and tenant_id = any(%(tenants)s)
union all
(select distinct on (tenant_id) tenant_id, challenger ->> 'run_id', null::integer,
        'where the next fit begins'
   from ledger join night using (night_id)
  where tenant_id = any(%(tenants)s) and challenger is not null and not is_trial
    and as_of >= (select max(as_of) from night where not is_trial) - %(gap)s
  order by tenant_id, as_of desc, night_id desc)
"""
# Challengers of trials, except those that a person has made champion since.
_TRIED = """
select tenant_id, challenger ->> 'run_id'
  from ledger join night using (night_id)
 where is_trial and tenant_id = any(%(tenants)s) and challenger is not null
   and not exists (select from history where history.tenant_id = ledger.tenant_id
                      and facts ->> 'run_id' = challenger ->> 'run_id')
"""


def models_in_force(connection: Connection, tenant_ids: Sequence[str]) -> list[NeededModel]:
    """These tenants' champions and previous models; the reason is the role."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, run_id, version, role from champion where tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        return [NeededModel(*row) for row in cursor]


def models_under_way(connection: Connection, tenant_ids: Sequence[str]) -> list[NeededModel]:
    """These tenants' models that may come into force, or that a next fit begins with.

    The former are of running nights, of changes that were begun, or waiting.
    """
    running = running_nights(connection)
    with connection.cursor() as cursor:
        asked = {"tenants": list(tenant_ids), "running": running, "gap": LONGEST_GAP}
        cursor.execute(_NEEDED, asked)
        return [NeededModel(*row) for row in cursor]


def runs_in_force(connection: Connection) -> set[str]:
    """The runs of every champion and previous on record; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select run_id from champion")
        return {run_id for (run_id,) in cursor}


def tried_runs(connection: Connection, tenant_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Tenant id and run of each trial's challenger, except those made champion since."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIED, {"tenants": list(tenant_ids)})
        return cursor.fetchall()
