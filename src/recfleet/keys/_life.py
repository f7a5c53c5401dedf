"""Give a tenant's callers keys of the HTTP service, and end them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from recfleet.audit import Entry, KeyFacts, append_entries, check_who_and_why
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.keys._form import make_key
from recfleet.keys._table import Key, add_key, end_key, get_key
from recfleet.tenants import lock_tenants


def create_key(
    connection: Connection,
    tenant_id: str,
    *,
    scopes: Sequence[str],
    name: str,
    expires_at: datetime | None,
    actor: str,
    reason: str,
) -> str:
    """Make a key of one tenant, with an entry of the audit.

    Args:
        connection: an open connection of nights and commands; it commits.
        tenant_id: the tenant that the key opens.
        scopes: what it opens there.
        name: what the key is for; the audit calls its holder by it.
        expires_at: when it ends; None: never.
        actor: who makes it.
        reason: why.

    Returns:
        The key, which nobody can read again.

    Raises:
        BadInputError: the actor, the reason, the name, the scopes or the time cannot be used.
        UnknownTenantError: there is no such tenant.
    """
    actor, reason = check_who_and_why(actor, reason)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise BadInputError(
            f"The key would have expired at {_time(expires_at)}: name a later time."
        )
    text, shown = make_key()
    scopes = sorted(set(scopes))
    facts = KeyFacts(
        key_id=shown.key_id, change="created", name=name, scopes=list(scopes), expires_at=expires_at
    )
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        add_key(
            connection,
            tenant_id,
            shown,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            actor=actor,
        )
        append_entries(connection, [Entry("key", tenant_id, actor, reason, facts=facts)])
    return text


def revoke_key(
    connection: Connection, tenant_id: str, key_id: str, *, actor: str, reason: str
) -> Key:
    """Revoke a key, which opens nothing from the commit on, with an entry of the audit.

    Returns:
        The key as it was.

    Raises:
        BadInputError: the actor or the reason is missing, or the key is revoked already.
        NotFoundError: the tenant has no such key.
    """
    actor, reason = check_who_and_why(actor, reason)
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        key = get_key(connection, tenant_id, key_id)
        if key.state == "revoked":
            raise BadInputError(f"The key {key_id} of {tenant_id} is revoked already.")
        end_key(connection, key_id)
        facts = KeyFacts(key_id=key_id, change="revoked", name=key.name)
        append_entries(connection, [Entry("key", tenant_id, actor, reason, facts=facts)])
    return key


def rotate_key(
    connection: Connection,
    tenant_id: str,
    key_id: str,
    *,
    overlap: timedelta,
    actor: str,
    reason: str,
) -> tuple[str, datetime]:
    """Make a key in the place of another, which goes on for a while, with an entry of the audit.

    Args:
        connection: an open connection of nights and commands; it commits.
        tenant_id: the tenant.
        key_id: the key that ends; the new one has its name and scopes.
        overlap: how long both open the tenant.
        actor: who does it.
        reason: why.

    Returns:
        The new key, which nobody can read again and which never expires, and when the old one ends.

    Raises:
        BadInputError: the actor or the reason is missing, or the key has ended already.
        NotFoundError: the tenant has no such key.
    """
    actor, reason = check_who_and_why(actor, reason)
    text, shown = make_key()
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        key = get_key(connection, tenant_id, key_id)
        if key.state != "live":
            raise BadInputError(
                f"The key {key_id} of {tenant_id} is {key.state}: make a new one with "
                f"`recfleet key create {tenant_id}`."
            )
        until = datetime.now(UTC) + overlap
        until = min(until, key.expires_at or until)
        end_key(connection, key_id, until)
        add_key(
            connection,
            tenant_id,
            shown,
            name=key.name,
            scopes=key.scopes,
            expires_at=None,
            actor=actor,
        )
        facts = KeyFacts(
            key_id=shown.key_id,
            change="created",
            name=key.name,
            scopes=list(key.scopes),
            replaces=key_id,
        )
        append_entries(connection, [Entry("key", tenant_id, actor, reason, facts=facts)])
    return text, until


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
