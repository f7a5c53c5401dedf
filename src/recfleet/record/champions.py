"""The champions on record: which model of a tenant is in force, and which was before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg2.extras import execute_values

from recfleet.audit import SCHEDULER, Entry, Kind, append_entries
from recfleet.database import Connection
from recfleet.record.approvals import end_waiting
from recfleet.record.ledger import Night


@dataclass(frozen=True)
class Champion:
    """A model in force, or the one before it."""

    version: int
    run_id: str
    model_uri: str
    train_end: datetime


def get_champion(connection: Connection, tenant_id: str, role: str = "champion") -> Champion | None:
    """The tenant's champion (or ``previous``), or None before its first model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select version, run_id, model_uri, train_end from champion "
            "where tenant_id = %s and role = %s",
            (tenant_id, role),
        )
        row = cursor.fetchone()
    return None if row is None else Champion(*row)


def get_champions(
    connection: Connection, tenant_ids: Sequence[str], role: str = "champion"
) -> dict[str, Champion]:
    """Tenant id -> champion (or ``previous``), of those of these tenants that have one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, version, run_id, model_uri, train_end from champion "
            "where tenant_id = any(%s) and role = %s",
            (list(tenant_ids), role),
        )
        return {tenant_id: Champion(*rest) for tenant_id, *rest in cursor}


# A champion by the entry that put it in force. Where that has no facts, as some of before there was
# an audit, the champions on record may know them; else it is one whose files cannot be found.
_REIGNS = """
select distinct on (entry.tenant_id) entry.tenant_id, entry.to_version,
       coalesce(entry.facts ->> 'run_id', champion.run_id, ''),
       coalesce(entry.facts ->> 'model_uri', champion.model_uri,
                'als-' || entry.tenant_id || '/forgotten'),
       coalesce((entry.facts ->> 'train_end')::timestamptz, champion.train_end, entry.happened_at),
       coalesce(night.as_of, entry.happened_at)
  from audit as entry
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
    """Tenant id -> the champion that a night sees, of those of these tenants that have one.

    It is the one on record; for a trial, which is a night of the past, the one that was in force
    before any night as of its time.
    """
    if not night.is_trial:
        return get_champions(connection, tenant_ids)
    return {
        tenant_id: champion for tenant_id, (champion, _) in _reigns(connection, night, tenant_ids)
    }


# The one before the champion, by the entry that had put it in force; after a rollback, none.
_FORMER = """
select distinct on (former.tenant_id) former.tenant_id, former.to_version,
       former.facts ->> 'run_id', former.facts ->> 'model_uri',
       (former.facts ->> 'train_end')::timestamptz
  from (
    select distinct on (tenant_id) tenant_id, audit_id, audit.kind, from_version
      from audit left join night using (night_id)
     where tenant_id = any(%(tenants)s) and audit.kind in ('first model', 'promotion', 'rollback')
       and coalesce(night.as_of, happened_at) < %(as_of)s
     order by tenant_id, coalesce(night.as_of, happened_at) desc, audit_id desc
  ) as entry
  join audit as former on former.tenant_id = entry.tenant_id
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
    """Tenant id -> since when the champion that a night sees has been in force.

    The as-of time of the night that made it; when it was made, of one that was made by none.
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


@dataclass(frozen=True)
class Coronation:
    """A model that becomes its tenant's champion."""

    tenant_id: str
    winner: Champion
    numbers: Mapping[str, Any]
    """The judge's."""
    reason: str
    is_rollback: bool = False
    """Whether it goes back to an earlier model: the one that it replaces is then not kept as
    previous, so that nobody goes back to that."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the audit keeps of the winner, besides where it is."""


def crown(
    connection: Connection,
    *,
    night_id: int,
    coronations: Sequence[Coronation],
    actor: str,
    before: Sequence[Entry] = (),
) -> None:
    """Make models the champions on record, those before them previous, and write the audit.

    The caller holds the tenants' locks, and commits, in one transaction with the switch of the
    releases. A model that is champion already stays as it is. What still waits for a person of
    these tenants was judged against another champion, and is overtaken.

    Args:
        connection: an open connection.
        night_id: of the ledger; a champion's age is counted from that night's as-of.
        coronations: one a tenant.
        actor: who did it.
        before: entries of the audit that led to it.
    """
    former = get_champions(connection, [item.tenant_id for item in coronations])
    new = [
        item
        for item in coronations
        if item.tenant_id not in former or former[item.tenant_id].version != item.winner.version
    ]
    if not new:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from champion where tenant_id = any(%s) and role = 'previous'",
            ([item.tenant_id for item in new],),
        )
        cursor.execute(
            "delete from champion where tenant_id = any(%s) and role = 'champion'",
            ([item.tenant_id for item in new if item.is_rollback],),
        )
        cursor.execute(
            "update champion set role = 'previous' where tenant_id = any(%s) and role = 'champion'",
            ([item.tenant_id for item in new],),
        )
        execute_values(
            cursor,
            "insert into champion "
            "(tenant_id, role, version, run_id, model_uri, train_end, night_id) values %s",
            [_champion_row(item, night_id) for item in new],
        )
    overtaken = end_waiting(
        connection,
        [item.tenant_id for item in new],
        "overtaken",
        actor=actor,
        reason="the champion that it was judged against is no longer in force",
    )
    made_from = _made_from(connection, [item for item in new if "training" not in item.facts])
    told = [
        replace(item, facts={**made_from.get(item.tenant_id, {}), **item.facts}) for item in new
    ]
    entries = [_entry(item, former.get(item.tenant_id), night_id, actor) for item in told]
    append_entries(connection, [*before, *entries, *overtaken])


def who_crowns(connection: Connection, night: Night, tenant_ids: Sequence[str]) -> str:
    """Whom the audit names for a night's changes of champion: of a backfill, who asked for it.

    So too for those that wait for a person.

    Args:
        connection: an open connection.
        night: that changes them.
        tenant_ids: of whom; one of them at least has something to do in it.
    """
    if night.kind != "backfill":
        return SCHEDULER
    with connection.cursor() as cursor:
        cursor.execute(
            "select actor from audit where kind = 'backfill' and tenant_id = any(%s) "
            "and facts ->> 'run_id' = (select backfill from night where night_id = %s) limit 1",
            (list(tenant_ids), night.night_id),
        )
        row = cursor.fetchone()
    return SCHEDULER if row is None else str(row[0])


# What a model was made from is told when it is judged; whoever goes back to it, or puts it in force
# by hand, need not know it.
_MADE_FROM = """
with asked as (
  select * from unnest(%s::text[], %s::integer[], %s::text[])
    with ordinality as asked (tenant_id, version, run_id, place))
select distinct on (place) place, facts
  from (
    select place, 1 as choice, audit_id as age, facts
      from asked join audit
        on audit.tenant_id = asked.tenant_id and audit.to_version = asked.version
     where facts ? 'training'
    union all
    -- The audit tells nothing of trials: what was tried is in the night's ledger alone.
    select place, 2, night_id, challenger
      from asked join ledger
        on ledger.tenant_id = asked.tenant_id and challenger ->> 'run_id' = asked.run_id
     where challenger ? 'training') as told
 order by place, choice, age desc
"""
_MADE_FROM_KEYS = (
    "training",
    "holdout",
    "recipe",
    "code_version",
    "airflow_run",
    "fingerprint",
    "customers",
    "products",
    "pairs",
    "seed",
)


def _made_from(connection: Connection, items: Sequence[Coronation]) -> dict[str, dict[str, Any]]:
    """Tenant id -> what is on record of how the winner was made, if anything is."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MADE_FROM,
            (
                [item.tenant_id for item in items],
                [item.winner.version for item in items],
                [item.winner.run_id for item in items],
            ),
        )
        return {
            items[place - 1].tenant_id: {key: facts[key] for key in _MADE_FROM_KEYS if key in facts}
            for place, facts in cursor
        }


def _champion_row(item: Coronation, night_id: int) -> tuple[object, ...]:
    winner = item.winner
    return (
        item.tenant_id,
        "champion",
        winner.version,
        winner.run_id,
        winner.model_uri,
        winner.train_end,
        night_id,
    )


def _entry(item: Coronation, former: Champion | None, night_id: int, actor: str) -> Entry:
    kind: Kind = "first model" if former is None else "promotion"
    where = {
        "run_id": item.winner.run_id,
        "model_uri": item.winner.model_uri,
        "train_end": item.winner.train_end.isoformat(),
    }
    return Entry(
        kind="rollback" if item.is_rollback else kind,
        tenant_id=item.tenant_id,
        actor=actor,
        reason=item.reason,
        night_id=night_id,
        from_version=former.version if former else None,
        to_version=item.winner.version,
        numbers=item.numbers,
        facts={**item.facts, **where},
    )
