"""The digests of models on record, beside what the audit says about them."""

from __future__ import annotations

from collections.abc import Collection

from psycopg2.extras import Json

from recfleet.contents import Contents
from recfleet.database import Connection

# What the audit's last entry about a version says that its folder holds, beside the record.
_DIGESTS = """
select model.tenant_id, told.audit_id, version
  from model_on_record as model
  left join (select distinct on (tenant_id, to_version) tenant_id, audit_id, to_version,
                    facts -> 'contents' as contents
               from history where facts ? 'contents'
              order by tenant_id, to_version, audit_id desc) as told
    on told.tenant_id = model.tenant_id and told.to_version = model.version
 where role <> 'waiting' and told.contents is distinct from model.contents
   and (%(tenants)s::text[] is null or model.tenant_id = any(%(tenants)s))
 order by model.tenant_id, version
"""
_TOLD_CONTENTS = """
select facts -> 'contents'
  from history where tenant_id = %s and to_version = %s and facts ? 'contents'
 order by audit_id desc limit 1
"""
# The audit comes first: it is what nobody can change unseen. A tenant that was deleted and made
# again has entries about other models under the same numbers.
_CONTENTS = """
select contents from (
  select 1 as choice, audit_id as age, facts -> 'contents' as contents
    from history where tenant_id = %(tenant)s and to_version = %(version)s
     and audit_id > coalesce((select max(audit_id) from history
                               where tenant_id = %(tenant)s and kind = 'deletion'), 0)
  union all
  select 2, 0, contents
    from champion where tenant_id = %(tenant)s and version = %(version)s
  union all
  -- A trial's challenger, or one that waits for a person.
  select 3, night_id, challenger -> 'contents'
    from ledger where tenant_id = %(tenant)s and challenger ->> 'run_id' = %(run)s) as told
 where contents is not null
 order by choice, age desc
 limit 1
"""
_WITHOUT = """
select tenant_id, role, version
  from champion
 where contents is null and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id, role
"""


def stray_digests(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[tuple[str, int | None, int]]:
    """Champions and previous models whose files on record differ from the audit's last entry.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: only these tenants; by default all.

    Returns:
        Tenant id, the entry's number, and the version.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DIGESTS, {"tenants": None if tenant_ids is None else sorted(tenant_ids)})
        return cursor.fetchall()


def told_contents(connection: Connection, tenant_id: str, version: int) -> Contents | None:
    """What the audit says that a version's folder holds; None: it does not say."""
    with connection.cursor() as cursor:
        cursor.execute(_TOLD_CONTENTS, (tenant_id, version))
        row = cursor.fetchone()
    return None if row is None else row[0]


def models_without_digest(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[tuple[str, str, int]]:
    """Champions and previous models without a digest on record: tenant id, role and version.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: only these tenants; by default all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT, {"tenants": None if tenant_ids is None else sorted(tenant_ids)})
        return cursor.fetchall()


def find_contents(
    connection: Connection, tenant_id: str, version: int, run_id: str
) -> Contents | None:
    """What the folder of a tenant's version must hold; None: nothing is on record.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        version: of its model.
        run_id: the run of that version.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS, {"tenant": tenant_id, "version": version, "run": run_id})
        row = cursor.fetchone()
    return None if row is None else row[0]


def set_contents(connection: Connection, tenant_id: str, version: int, contents: Contents) -> None:
    """Put on record what the folder of a champion or previous model holds; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update champion set contents = %s where tenant_id = %s and version = %s",
            (Json(contents), tenant_id, version),
        )
