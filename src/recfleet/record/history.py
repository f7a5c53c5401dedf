"""Champions of the past: the champion and previous model that a night of that time sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from recfleet.database import Connection
from recfleet.record.champions import Champion, get_champions
from recfleet.record.nights import Night

# A champion by the entry that put it in force. Some entries from before there was an audit have no
# facts. Then the champions on record may have them; otherwise the champion's files cannot be found.
_REIGNS = """
select distinct on (entry.tenant_id) entry.tenant_id, entry.to_version,
       coalesce(entry.facts ->> 'run_id', champion.run_id, ''),
       coalesce(entry.facts ->> 'model_uri', champion.model_uri,
                'als-' || entry.tenant_id || '/forgotten'),
       coalesce((entry.facts ->> 'train_end')::timestamptz, champion.train_end, entry.happened_at),
       coalesce(entry.facts -> 'contents', champion.contents),
       coalesce(night.as_of, entry.happened_at)
  from history as entry
  left join night using (night_id)
  left join champion on champion.tenant_id = entry.tenant_id
                    and champion.version = entry.to_version
 where entry.tenant_id = any(%(tenants)s)
   and entry.kind in ('first model', 'promotion', 'rollback')
   and coalesce(night.as_of, entry.happened_at) < %(as_of)s
 order by entry.tenant_id, coalesce(night.as_of, entry.happened_at) desc, audit_id desc
"""


def champions_of(
    connection: Connection, night: Night, tenant_ids: Sequence[str]
) -> dict[str, Champion]:
    """Tenant id -> the champion that a night sees, for those of these tenants that have one.

    That is the champion on record. A trial, which is a night of the past, sees the champion that
    was in force before any night as of its time.
    """
    if not night.is_trial:
        return get_champions(connection, tenant_ids)
    return {
        tenant_id: champion for tenant_id, (champion, _) in _reigns(connection, night, tenant_ids)
    }


# The model before the champion, by the entry that had put it in force; none after a rollback.
_FORMER = """
select distinct on (former.tenant_id) former.tenant_id, former.to_version,
       former.facts ->> 'run_id', former.facts ->> 'model_uri',
       (former.facts ->> 'train_end')::timestamptz, former.facts -> 'contents'
  from (
    select distinct on (tenant_id) tenant_id, audit_id, history.kind, from_version
      from history left join night using (night_id)
     where tenant_id = any(%(tenants)s) and history.kind in ('first model', 'promotion', 'rollback')
       and coalesce(night.as_of, happened_at) < %(as_of)s
     order by tenant_id, coalesce(night.as_of, happened_at) desc, audit_id desc
  ) as entry
  join history as former on former.tenant_id = entry.tenant_id
                      and former.to_version = entry.from_version
                      and former.kind in ('first model', 'promotion', 'rollback')
                      and former.audit_id < entry.audit_id
 where entry.kind = 'promotion' and former.facts ? 'model_uri'
 order by former.tenant_id, former.audit_id desc
"""


def previous_of(
    connection: Connection, night: Night, tenant_ids: Sequence[str]
) -> dict[str, Champion]:
    """Tenant id -> the model before the champion that a night sees; see ``champions_of``."""
    if not night.is_trial:
        return get_champions(connection, tenant_ids, role="previous")
    with connection.cursor() as cursor:
        cursor.execute(_FORMER, {"tenants": list(tenant_ids), "as_of": night.as_of})
        return {tenant_id: Champion(*rest) for tenant_id, *rest in cursor}


def champions_since(
    connection: Connection, night: Night, tenant_ids: Sequence[str]
) -> dict[str, datetime]:
    """Tenant id -> the time since when the champion that a night sees has been in force.

    That is the as-of of the night that made it; without a night, the time when it was made.
    """
    if night.is_trial:
        return {
            tenant_id: since for tenant_id, (_, since) in _reigns(connection, night, tenant_ids)
        }
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, coalesce(night.as_of, champion.promoted_at) "
            "from champion left join night using (night_id) "
            "where tenant_id = any(%s) and role = 'champion'",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def _reigns(
    connection: Connection, night: Night, tenant_ids: Sequence[str]
) -> Iterator[tuple[str, tuple[Champion, datetime]]]:
    with connection.cursor() as cursor:
        cursor.execute(_REIGNS, {"tenants": list(tenant_ids), "as_of": night.as_of})
        for tenant_id, *where, since in cursor.fetchall():
            yield tenant_id, (Champion(*where), since)


def was_rolled_back(connection: Connection, tenant_id: str, version: int) -> bool:
    """Whether the tenant was ever rolled back from this version of its model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from promotion "
            "where tenant_id = %s and kind = 'rollback' and from_version = %s)",
            (tenant_id, version),
        )
        [(found,)] = cursor.fetchall()
    return bool(found)
