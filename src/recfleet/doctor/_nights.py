"""Nights that never ended, and changes of champion that were begun and not finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.fleet import close_night
from recfleet.fleet.intents import mend_intents
from recfleet.record import FINAL_STATES, Night, get_night

_QUIET = "6 hours"
"""A night at work writes every few seconds, or within minutes if a task is retried. Only an
abandoned night is quiet for this long."""
_SETTLED = "10 minutes"
"""A night's last work after its end takes seconds."""

# A shard's task holds a lock of its own for as long as it lives. A backfill begins all its nights
# together and works on one after the other.
_STUCK = f"""
select night_id, run_id, started_at, quiet_since
  from night_overview as night
 cross join lateral (
   select greatest(max(other.started_at),
                   max((select max(updated_at) from tenant_night
                         where tenant_night.night_id = other.night_id)),
                   max((select max(coalesce(shard_task.finished_at, shard_task.started_at))
                          from shard_task
                         where shard_task.night_id = other.night_id))) as quiet_since
     from night_overview as other
    where other.night_id = night.night_id or other.backfill = night.backfill) as last
 where status = 'running' and quiet_since < clock_timestamp() - interval '{_QUIET}'
   and not exists (
     select from shard_task
      where shard_task.night_id = night.night_id and is_running
        and not pg_try_advisory_xact_lock(
          hashtextextended(format('night %%s shard %%s %%s', night_id, shard, stage), 0)))
 order by night_id
"""  # noqa: S608
_UNFINISHED = f"""
select night_id, run_id, count(*)
  from tenant_night
 where status <> 'running' and state <> all(%s)
   and updated_at < clock_timestamp() - interval '{_SETTLED}'
   and coalesce(finished_at, started_at) < clock_timestamp() - interval '{_SETTLED}'
 group by night_id, run_id
 order by night_id
"""  # noqa: S608
_INTENTS = f"""
select night_id, tenant_id, updated_at
  from tenant_night
 where intent is not null
   and (updated_at < clock_timestamp() - interval '1 hour'
        or (status <> 'running' and updated_at < clock_timestamp() - interval '{_SETTLED}'))
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id, night_id
"""  # noqa: S608


def _find_nights(tools: Tools, _: Collection[str] | None) -> Iterator[Finding]:
    with tools.connection.cursor() as cursor:
        cursor.execute(_STUCK, ())
        for night_id, run_id, started_at, quiet_since in cursor.fetchall():
            yield Finding(
                "nights",
                None,
                f"night {night_id} ({run_id}) has been running since "
                f"{started_at:%Y-%m-%d %H:%M}, without progress since "
                f"{quiet_since:%Y-%m-%d %H:%M}",
                "closes the night; unfinished tenants have failed in it, their live lists stay",
                night_id=night_id,
            )
        cursor.execute(_UNFINISHED, (list(FINAL_STATES),))
        for night_id, run_id, count in cursor.fetchall():
            tenants = "1 tenant is" if count == 1 else f"{count} tenants are"
            yield Finding(
                "nights",
                None,
                f"night {night_id} ({run_id}) has ended, but {tenants} still under way in it",
                "closes the night again; these tenants have failed in it, their live lists stay",
                night_id=night_id,
            )


def _close(tools: Tools, finding: Finding) -> None:
    close_night(_night(tools, finding).run_id)


def _find_intents(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    with tools.connection.cursor() as cursor:
        cursor.execute(_INTENTS, {"tenants": None if tenant_ids is None else sorted(tenant_ids)})
        for night_id, tenant_id, since in cursor.fetchall():
            yield Finding(
                "intents",
                tenant_id,
                f"a change of its champion, begun in night {night_id}, has not been finished "
                f"since {since:%Y-%m-%d %H:%M}",
                "brings MLflow to the champion on record",
                night_id=night_id,
            )


def _take_back(tools: Tools, finding: Finding) -> None:
    mend_intents(tools.connection, _night(tools, finding), tools.settings)


def _night(tools: Tools, finding: Finding) -> Night:
    with tools.connection.cursor() as cursor:
        cursor.execute("select run_id from night_overview where night_id = %s", (finding.night_id,))
        [(run_id,)] = cursor.fetchall()
    night = get_night(tools.connection, run_id)
    tools.connection.commit()
    return night


NIGHTS = Check("nights", _find_nights, _close, of_tenants=False)
INTENTS = Check("intents", _find_intents, _take_back, of_tenants=False)
