"""What a tenant's past says about its versions, and about the model in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recfleet.database import Connection
from recfleet.record.retention import tried_runs
from recfleet.registry import KnownVersion

TRIAL = "a backfill's trial"

# The rollback that made the champion on record, if no night of the fleet came after it.
_LAST_ROLLBACK = """
select to_version, happened_at, actor, reason
  from (select * from history where tenant_id = %(tenant)s and is_coronation
         order by audit_id desc limit 1) as last
 where kind = 'rollback' and night_id >= coalesce(
       (select night_id from tenant_night
         where tenant_id = %(tenant)s and kind = 'fleet'
         order by as_of desc, night_id desc limit 1), 0)
"""


def remarks_on(
    connection: Connection, tenant_id: str, versions: Sequence[KnownVersion]
) -> dict[int, str]:
    """Version -> what to know about it before putting it in force; only versions with a remark.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        versions: the versions in question.
    """
    tried = {run_id for _, run_id in tried_runs(connection, [tenant_id])}
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct from_version from history where tenant_id = %s and kind = 'rollback'",
            (tenant_id,),
        )
        left = {version for (version,) in cursor}
    found = {known.version: TRIAL for known in versions if known.run_id in tried}
    return found | {
        known.version: "was rolled back from" for known in versions if known.version in left
    }


def with_remark(version: int, remarks: Mapping[int, str]) -> str:
    """A version for a sentence, with its remark if it has one."""
    return f"{version} ({remarks[version]})" if version in remarks else str(version)


def last_rollback_in_words(connection: Connection, tenant_id: str) -> str | None:
    """Who has rolled the tenant back since its last fleet night, in words; None: nobody has."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ROLLBACK, {"tenant": tenant_id})
        row = cursor.fetchone()
    if row is None:
        return None
    version, at, actor, reason = row
    return (
        f"It went back to version {version} already, at {at:%Y-%m-%d %H:%M} by {actor} ({reason})"
    )
