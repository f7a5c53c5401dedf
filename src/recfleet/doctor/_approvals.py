"""Requests for approval that should have ended, and endings that are missing in MLflow."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from recfleet.audit import SCHEDULER, append_entries
from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.fleet.answers import tell_registry
from recfleet.record import end_waiting, expire_requests

# Each close, each answer and each list of waiting requests ends late requests and updates MLflow.
_LATE = "1 day"
_EXPIRED = f"""
select tenant_id, approval_id, version, expires_at
  from approval_request
 where status = 'waiting' and expires_at < clock_timestamp() - interval '{_LATE}'
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""  # noqa: S608
_OVERTAKEN = """
select tenant_id, approval_id, approval_request.version, against, in_force.version
  from approval_request
  left join in_force using (tenant_id)
 where status = 'waiting' and against is distinct from in_force.version
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""
_UNTOLD = f"""
select tenant_id, approval_id, version, status
  from approval_request
 where status <> 'waiting' and not is_told
   and decided_at < clock_timestamp() - interval '{_LATE}'
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id, approval_id
"""  # noqa: S608


def _find_late(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    given = {"tenants": None if tenant_ids is None else sorted(tenant_ids)}
    with tools.connection.cursor() as cursor:
        cursor.execute(_EXPIRED, given)
        for tenant_id, number, version, expires_at in cursor.fetchall():
            yield Finding(
                "approvals",
                tenant_id,
                f"request {number}, for version {version}, still waits but expired at "
                f"{expires_at:%Y-%m-%d %H:%M}",
                "ends it as expired, which has the effect of a rejection",
                version=version,
            )
        cursor.execute(_UNTOLD, given)
        for tenant_id, number, version, status in cursor.fetchall():
            yield Finding(
                "approvals",
                tenant_id,
                f"request {number}, for version {version}, is {status}, but MLflow does not say so",
                "writes that at the version in MLflow",
                version=version,
            )


def _end_late(tools: Tools, _: Finding) -> None:
    expire_requests(tools.connection)
    tell_registry(tools.connection, tools.settings)


def _find_overtaken(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    with tools.connection.cursor() as cursor:
        cursor.execute(_OVERTAKEN, {"tenants": None if tenant_ids is None else sorted(tenant_ids)})
        for tenant_id, number, version, against, champion in cursor.fetchall():
            judged = "none" if against is None else f"version {against}"
            now = "none is" if champion is None else f"version {champion} is"
            yield Finding(
                "overtaken",
                tenant_id,
                f"request {number}, for version {version}, waits against {judged} as champion, "
                f"but {now} champion on record",
                "ends it as overtaken",
                version=version,
            )


def _end_overtaken(tools: Tools, finding: Finding) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    entries = end_waiting(
        tools.connection,
        [finding.tenant_id],
        "overtaken",
        actor=SCHEDULER,
        reason="found by the doctor: the champion it was judged against is not in force",
    )
    append_entries(tools.connection, entries)


APPROVALS = Check("approvals", _find_late, _end_late, of_tenants=False)
OVERTAKEN = Check("overtaken", _find_overtaken, _end_overtaken)
