"""The live switch: which release a tenant's readers see."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2.extras import execute_values

from recfleet.database import Connection
from recfleet.errors import TenantError

_SWITCH = """
insert into live_release (tenant_id, release_id, night_id) values %s
on conflict (tenant_id) do update
   set release_id = excluded.release_id, night_id = excluded.night_id, switched_at = now()
 where live_release.release_id <> excluded.release_id
"""
_WRITTEN = """
select release_id, count(*)
  from recommendation
 where night_id = any(%s) and release_id = any(%s)
 group by release_id
"""
_KEPT = """
select release_id
  from release_overview
 where tenant_id = %s
   and not is_trial
   and model_version is not distinct from %s
   and not is_unchecked
   and not has_failed
   and customers = written
 order by as_of desc, night_id desc
 limit 1
"""


def switch_live(connection: Connection, releases: Mapping[str, int]) -> None:
    """Make releases live; does nothing for a release that is live already.

    Readers see the old releases until the caller commits, and the new ones from then on. The
    database refuses a commit after which a tenant's live lists come from another model than its
    champion, so a change of champion belongs in the same transaction.

    Args:
        connection: an open connection; the caller commits.
        releases: tenant id -> a staged release of that tenant, of this night or an earlier one.

    Raises:
        TenantError: a tenant has no such release, the release is incomplete, or a check failed or
            was never made; nothing is switched.
    """
    with connection.cursor() as cursor:
        # Nobody can stage them again until the caller commits.
        cursor.execute(
            "select release_id, tenant_id, night_id, customers, checks from release "
            "where release_id = any(%s) order by release_id for share",
            (list(releases.values()),),
        )
        found = {(tenant_id, number): rest for number, tenant_id, *rest in cursor}
        nights = sorted({night_id for night_id, _, _ in found.values()})
        cursor.execute(_WRITTEN, (nights, list(releases.values())))
        written = dict(cursor.fetchall())
        for tenant_id, release_id in releases.items():
            if (tenant_id, release_id) not in found:
                raise TenantError(f"there is no release {release_id} of {tenant_id}")
            _, customers, checks = found[tenant_id, release_id]
            _refuse(release_id, customers, written.get(release_id, 0), checks)
        execute_values(
            cursor,
            _SWITCH,
            [
                (tenant_id, release_id, found[tenant_id, release_id][0])
                for tenant_id, release_id in sorted(releases.items())
            ],
        )


def end_live(connection: Connection, tenant_id: str) -> None:
    """Take a tenant's live release out of service; the release itself stays. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from live_release where tenant_id = %s", (tenant_id,))


def kept_release(connection: Connection, tenant_id: str, model_version: int | None) -> int | None:
    """The newest release of a model version that can be switched to as it is.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        model_version: version of the registered model; None: there is none.

    Returns:
        The release's number, or None when no complete release with passed checks is kept.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, (tenant_id, model_version))
        found = cursor.fetchone()
    return None if found is None else int(found[0])


def _refuse(release_id: int, customers: int, written: int, checks: list[dict[str, object]]) -> None:
    if written != customers:
        raise TenantError(
            f"release {release_id} is not complete: it has {written} of {customers} lists"
        )
    if not checks:
        raise TenantError(f"release {release_id} was never checked")
    failed = [f"{check['name']}: {check['detail']}" for check in checks if not check["passed"]]
    if failed:
        raise TenantError(f"release {release_id} failed its checks: {'; '.join(failed)}")
