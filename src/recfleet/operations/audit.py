"""Prove that the audit is complete, and that the records agree with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from recfleet.audit import (
    Chain,
    DeletionFacts,
    Fault,
    Head,
    OnRecord,
    PolicyFacts,
    RepairFacts,
    check_chain,
    read_entries,
    read_facts,
)
from recfleet.database import Connection, transaction
from recfleet.operations.policies import shown
from recfleet.record.digests import stray_digests
from recfleet.tenants import Mode, get_tenant, own_policies, tenant_names
from recfleet.tenants.fields import flatten

# The version in a tenant's last entry about its champion, beside the version on record. A repair
# that continues from the record is such an entry too, even if the record has no champion. So is a
# deletion: a tenant that is made again under the same id begins anew.
_CHAMPIONS = """
select tenant_id, last.audit_id, last.to_version, in_force.version
  from (select distinct on (tenant_id) tenant_id, audit_id, to_version
          from history
         where is_about_champion
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
  left join (select distinct on (tenant_id) tenant_id, audit_id, mode_from_then as mode
               from history
              where mode_from_then is not null
              order by tenant_id, audit_id desc) as last using (tenant_id)
 where coalesce(last.mode, 'on') <> roster.mode
   and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
 order by tenant_id
"""
# Every tenant begins with nothing of its own in its policy.
_POLICIES = """
select tenant_id, audit_id, kind, facts
  from history
 where is_about_policy
   and tenant_id = any(%(tenants)s)
 order by audit_id
"""


@dataclass(frozen=True)
class StrayPolicy:
    """A tenant's policy that is not the one that the audit ends with."""

    tenant_id: str
    number: int | None
    """Of the last entry about it; None: there is none."""
    told: Mapping[str, Any]
    """What is the tenant's own by the audit, by the fields' names, with dots."""
    own: Mapping[str, Any]
    """Likewise, on record."""


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
            Fault(number, f"{tenant_id}: {digest_disagrees(number, version)}.")
            for tenant_id, number, version in stray_digests(connection)
        ]
        wrong += [
            Fault(number, f"{tenant_id}: {mode_disagrees(number, told_mode, mode)}.")
            for tenant_id, number, told_mode, mode in stray_modes(connection)
        ]
        wrong += [
            Fault(stray.number, f"{stray.tenant_id}: {policy_disagrees(stray)}.")
            for stray in stray_policies(connection)
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


def stray_policies(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> list[StrayPolicy]:
    """Tenants whose own policy on record is not the one that the audit ends with.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_ids: of whom; by default of all.
    """
    wanted = list(tenant_names(connection) if tenant_ids is None else tenant_ids)
    told: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_POLICIES, {"tenants": wanted})
        for tenant_id, number, kind, stored in cursor:
            told[tenant_id] = _own_after(told.get(tenant_id, {}), kind, stored)
            numbers[tenant_id] = number
    found = [
        StrayPolicy(tenant_id, numbers.get(tenant_id), told.get(tenant_id, {}), flatten(own))
        for tenant_id, own in own_policies(connection, wanted).items()
    ]
    return [stray for stray in found if stray.told != stray.own]


def _own_after(own: Mapping[str, Any], kind: str, stored: Any) -> dict[str, Any]:
    """What is a tenant's own after an entry, given what was before it."""
    match read_facts(kind, stored):
        case DeletionFacts():
            return {}
        case RepairFacts(policy=policy) if policy is not None:
            return policy
        case PolicyFacts(changes=changes) if changes:
            kept = {key: change.new for key, change in changes.items() if change.own is not False}
            return {key: own[key] for key in own if key not in changes} | kept
    return dict(own)


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


def digest_disagrees(number: int | None, version: int) -> str:
    """How the audit and the files on record of a version disagree, in words."""
    if number is None:
        return f"the record has a digest of version {version}, but no entry of the audit has it"
    return f"entry {number} of the audit has another digest of version {version} than the record"


def mode_disagrees(number: int | None, told: Mode, mode: Mode) -> str:
    """How the audit and the mode on record disagree, in words."""
    if number is None:
        return f"it is {mode} on record, but no entry of the audit made it so"
    return f"entry {number} of the audit made it {told}, but on record it is {mode}"


def policy_disagrees(stray: StrayPolicy) -> str:
    """How the audit and a policy on record disagree, in words."""
    keys = sorted(
        key
        for key in stray.told.keys() | stray.own.keys()
        if key not in stray.told or key not in stray.own or stray.told[key] != stray.own[key]
    )
    on_record = _fields(keys, stray.own)
    if stray.number is None:
        return f"its policy has {on_record} on record, but no entry of the audit made it so"
    return (
        f"its policy has {_fields(keys, stray.told)} after entry {stray.number} of the audit, "
        f"but {on_record} on record"
    )


def _fields(keys: Collection[str], own: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {shown(own[key])}" if key in own else f"{key} as the fleet" for key in keys
    )
