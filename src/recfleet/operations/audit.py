"""Proving that the audit is whole, and that the records agree with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from recfleet.audit import Chain, Fault, Head, OnRecord, check_chain, read_entries
from recfleet.database import Connection, transaction
from recfleet.tenants import Mode, get_tenant

# The version that a tenant's last entry about its champion names, beside the one on record. A
# repair that goes on from what is on record is such an entry, also where that is none.
_CHAMPIONS = """
select tenant_id, last.audit_id, last.to_version, in_force.version
  from (select distinct on (tenant_id) tenant_id, audit_id, to_version
          from history
         where is_coronation
            or (kind = 'repair' and facts ? 'champion')
         order by tenant_id, audit_id desc) as last
  full join in_force using (tenant_id)
 where last.to_version is distinct from in_force.version
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""
# Every tenant begins on: another mode has an entry, whoever set it. A repair is one here as well.
_MODES = """
select tenant_id, last.audit_id, coalesce(last.mode, 'on'), roster.mode
  from roster
  left join (select distinct on (tenant_id) tenant_id, audit_id,
                    coalesce(facts ->> 'mode', facts ->> 'to') as mode
               from history
              where kind = 'mode' or (kind = 'repair' and facts ? 'mode')
              order by tenant_id, audit_id desc) as last using (tenant_id)
 where coalesce(last.mode, 'on') <> roster.mode
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""


def verify(
    connection: Connection,
    *,
    noted: Head | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Chain:
    """Prove that nothing of the audit is missing or changed, and that the records agree with it.

    All of it is of one moment, however long it takes.

    Args:
        connection: an open connection outside any transaction.
        noted: a head of earlier, which must still be in the chain.
        told: how many entries have been read, now and then.

    Returns:
        The chain, with everything that is wrong; the records' disagreements last.
    """
    with transaction(connection):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
        chain = check_chain(connection, noted=noted, told=told)
        wrong = [
            Fault(number, f"{tenant_id}: {champion_disagrees(number, told_version, version)}.")
            for tenant_id, number, told_version, version in stray_champions(connection)
        ]
        wrong += [
            Fault(number, f"{tenant_id}: {mode_disagrees(number, told_mode, mode)}.")
            for tenant_id, number, told_mode, mode in stray_modes(connection)
        ]
    return Chain(chain.entries, chain.head, (*chain.faults, *wrong))


def stray_champions(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[tuple[str, int | None, int | None, int | None]]:
    """Tenants whose champion on record is not the one that the audit ends with.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: of whom; by default of all.

    Returns:
        Tenant id, the entry's number and the version it names, and the version on record.
    """
    return _stray(connection, _CHAMPIONS, tenant_ids)


def stray_modes(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[tuple[str, int | None, Mode, Mode]]:
    """Tenants that are in another mode on record than the audit ends with.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: of whom; by default of all.

    Returns:
        Tenant id, the entry's number and its mode, and the mode on record.
    """
    return _stray(connection, _MODES, tenant_ids)


def _stray(
    connection: Connection, question: str, tenant_ids: Collection[str] | None
) -> list[tuple[Any, ...]]:
    wanted = None if tenant_ids is None else sorted(tenant_ids)
    with connection.cursor() as cursor:
        cursor.execute(question, {"tenants": wanted})
        return cursor.fetchall()


def tell_story(
    connection: Connection, tenant_id: str, *, limit: int | None = None
) -> list[OnRecord]:
    """A tenant's entries in order, also of one that is gone.

    Args:
        connection: an open connection outside any transaction.
        tenant_id: whose.
        limit: only so many of the newest; by default all.

    Raises:
        UnknownTenantError: there is no such tenant, and never was.
    """
    with transaction(connection):
        entries = read_entries(connection, tenant_id, limit=limit)
        if not entries:
            get_tenant(connection, tenant_id)
        return entries


def champion_disagrees(number: int | None, told: int | None, version: int | None) -> str:
    """How the audit and a champion on record disagree, in words."""
    if number is None:
        return f"version {version} is champion on record, but no entry of the audit made it so"
    on_record = "none is" if version is None else f"version {version} is"
    return f"entry {number} of the audit made version {told} champion, but {on_record} on record"


def mode_disagrees(number: int | None, told: Mode, mode: Mode) -> str:
    """How the audit and a mode on record disagree, in words."""
    if number is None:
        return f"it is {mode} on record, but no entry of the audit made it so"
    return f"entry {number} of the audit made it {told}, but on record it is {mode}"
