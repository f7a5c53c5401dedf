"""Whether live releases may be live: complete, checked, by the champion, of an existing tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.errors import TenantError
from recfleet.operations.operator_night import (
    close_operator_night,
    open_operator_night,
    record_by_operator,
    stage_now,
    tenant_time,
)
from recfleet.record import Champion, get_champion
from recfleet.releases import end_live, kept_release, switch_live
from recfleet.tenants import Tenant, get_tenant, tenant_names

# A tenant with a champion may rightly show popular products: it may have been off for too long, or
# its model's files may be lost.
_LIVE = """
select tenant_id, roster.tenant_id is null as is_unknown, release_id, served_by, model_version,
       live.run_id, in_force.version, in_force.run_id as champion_run, customers, written,
       is_unchecked, has_failed
  from live
  left join roster using (tenant_id)
  left join in_force using (tenant_id)
 where %(tenants)s::text[] is null or tenant_id = any(%(tenants)s)
 order by tenant_id
"""
# A tenant that was switched on again without usable lists shows none until its next night.
_UNSERVED = """
select tenant_id, version
  from in_force join roster using (tenant_id)
 where is_served
   and not exists (select from live where live.tenant_id = roster.tenant_id)
   and not exists (
     select from history
      where history.tenant_id = roster.tenant_id and kind = 'mode'
        and happened_at > (
          select max(updated_at) from tenant_night
           where tenant_night.tenant_id = roster.tenant_id and release_id is not null))
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""
_ADVICE = "a night publishes the tenant again: `recfleet night run --tenant {}`"


def _find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    given = {"tenants": None if tenant_ids is None else sorted(tenant_ids)}
    with tools.connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIVE, given)
        rows = [dict(row) for row in cursor]
        cursor.execute(_UNSERVED, given)
        unserved = [dict(row) for row in cursor]
    for place, row in enumerate(rows, 1):
        if row["is_unknown"]:
            yield _of_nobody(row)
        elif why := _why(row):
            yield _finding(row["tenant_id"], f"its live release {row['release_id']} {why}")
        tools.told(place, len(rows))
    for row in unserved:
        what = f"version {row['version']} is its champion, but nothing is live"
        yield _finding(row["tenant_id"], what)


def _of_nobody(row: Mapping[str, Any]) -> Finding:
    return Finding(
        "lists",
        row["tenant_id"],
        f"release {row['release_id']} is live, but there is no such tenant",
        "ends the live release; the release itself stays",
    )


def _finding(tenant_id: str, what: str) -> Finding:
    return Finding(
        "lists",
        tenant_id,
        what,
        "publishes at once, from the champion on record, as of the time of the live lists",
        _ADVICE.format(tenant_id),
    )


def _why(row: Mapping[str, Any]) -> str | None:
    """Why a release may not be live, in words; None: it may."""
    if row["written"] != row["customers"]:
        return f"is not complete: it has {row['written']} of {row['customers']} lists"
    if row["is_unchecked"]:
        return "was never checked"
    if row["has_failed"]:
        return "failed its checks"
    return None if row["model_version"] is None else _why_stray(row)


def _why_stray(row: Mapping[str, Any]) -> str | None:
    """Why a model's release may not be live, in words; None: it belongs to the champion."""
    if row["version"] != row["model_version"]:
        champion = "none" if row["version"] is None else f"version {row['version']}"
        return f"is of version {row['model_version']}, but the champion on record is {champion}"
    if row["run_id"] != row["champion_run"]:
        return (
            f"is of run {row['run_id']}, but the champion on record is of run {row['champion_run']}"
        )
    return None


def _mend(tools: Tools, finding: Finding) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    if not tenant_names(tools.connection, [finding.tenant_id]):
        end_live(tools.connection, finding.tenant_id)
        return
    tenant = get_tenant(tools.connection, finding.tenant_id)
    _publish(tools, tenant, get_champion(tools.connection, finding.tenant_id), finding.what)


def _publish(tools: Tools, tenant: Tenant, champion: Champion | None, what: str) -> None:
    """Publish from the champion, or without a model; if that fails, go back to kept lists.

    Raises:
        TenantError: neither is possible; says why.
    """
    connection = tools.connection
    as_of = tenant_time(connection, tenant.tenant_id) or datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("savepoint before_publishing")
    try:
        if tenant.policy_error:
            raise TenantError(tenant.policy_error)
        night = open_operator_night(connection, "repair", as_of)
        release_id = stage_now(connection, night, tenant, champion, tools.artifacts)
        switch_live(connection, {tenant.tenant_id: release_id})
        record_by_operator(
            connection,
            night,
            tenant,
            outcome="kept" if champion else "rejected",
            reason=f"published again by a repair, because {what}",
            release_id=release_id,
        )
        close_operator_night(connection, night, f"repair of {tenant.tenant_id}")
    except TenantError as error:
        with connection.cursor() as cursor:
            cursor.execute("rollback to savepoint before_publishing")
        kept = kept_release(connection, tenant.tenant_id, champion.version if champion else None)
        if kept is None:
            raise TenantError(f"{error}; and no earlier lists of it are kept") from error
        switch_live(connection, {tenant.tenant_id: kept})


LISTS = Check("lists", _find, _mend)
