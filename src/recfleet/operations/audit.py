"""Prove that the audit is complete, and that the records agree with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from recfleet.audit import Chain, Fault, Head, OnRecord, check_chain, read_entries
from recfleet.database import Connection, transaction
from recfleet.tenants import Mode, get_tenant

# The version in a tenant's last entry about its champion, beside the version on record. A repair
# that continues from the record is such an entry too, even if the record has no champion.
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
# Every tenant begins with mode on, and every change of mode has an entry. Repairs count as well.
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
    """Prove that the audit is complete and unchanged, and that the records agree with it.

    However long it takes, it sees the state of one moment.

    Args:
        connection: an open connection outside any transaction.
        noted: an earlier head, which must still be in the chain.
        told: called now and then with the number of entries read so far.

    Returns:
        The chain, with everything that is wrong; the records' disagreements come last.
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
    """Tenants whose champion on record differs from the audit's last entry about it.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: only these tenants; by default all.

    Returns:
        Tenant id, the entry's number and the version it names, and the version on record.
    """
    return _stray(connection, _CHAMPIONS, tenant_ids)


def stray_modes(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[tuple[str, int | None, Mode, Mode]]:
    """Tenants whose mode on record differs from the audit's last entry about it.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: only these tenants; by default all.

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
    """A tenant's entries in order, even if the tenant is gone.

    Args:
        connection: an open connection outside any transaction.
        tenant_id: the tenant.
        limit: only this many of the latest entries; by default all.

    Raises:
        UnknownTenantError: there is no such tenant, and never was.
    """
    with transaction(connection):
        entries = read_entries(connection, tenant_id, limit=limit)
        if not entries:
            get_tenant(connection, tenant_id)
        return entries


def champion_disagrees(number: int | None, told: int | None, version: int | None) -> str:
    """How the audit and the champion on record disagree, in words."""
    if number is None:
        return f"version {version} is champion on record, but no entry of the audit made it so"
    on_record = "none is" if version is None else f"version {version} is"
    return f"entry {number} of the audit made version {told} champion, but {on_record} on record"


def mode_disagrees(number: int | None, told: Mode, mode: Mode) -> str:
    """How the audit and the mode on record disagree, in words."""
    if number is None:
        return f"it is {mode} on record, but no entry of the audit made it so"
    return f"entry {number} of the audit made it {told}, but on record it is {mode}"
