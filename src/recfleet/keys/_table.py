"""The keys in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError
from recfleet.keys._form import ShownKey
from recfleet.tenants import check_tenants

Scope = Literal["read", "events", "data", "control"]
"""What a key opens: reading lists; telling what came of them; sending purchases; changing modes."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
MEANINGS: dict[Scope, str] = {
    "read": "lists, products, recommendations",
    "events": "telling what came of answers",
    "data": "sending purchases",
    "control": "the tenant's mode",
}
"""Scope -> what it opens, in words."""
LONGEST_NAME = 80

_SELECT = """
select key_id, tenant_id, name, scopes, created_at, created_by, expires_at, revoked_at,
       case when revoked_at is not null then 'revoked'
            when expires_at <= now() then 'expired' else 'live' end
  from api_key
"""


@dataclass(frozen=True)
class Key:
    """One key, without its secret."""

    key_id: str
    tenant_id: str
    name: str
    """What it is for."""
    scopes: list[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    """None: never."""
    revoked_at: datetime | None
    state: Literal["live", "expired", "revoked"]


def add_key(
    connection: Connection,
    tenant_id: str,
    shown: ShownKey,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: str,
) -> None:
    """Keep a new key; the caller writes the audit, and commits.

    Raises:
        BadInputError: it has no scope, or an unknown one, or a name that cannot be used.
        UnknownTenantError: there is no such tenant.
    """
    if not scopes or not set(scopes) <= set(SCOPES):
        raise BadInputError(
            f"Say what the key opens: --scope, once or several times, with {', '.join(SCOPES)}."
        )
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise BadInputError(
            f"{name!r} cannot be a key's name: say in 1 to {LONGEST_NAME} printable characters "
            "what the key is for."
        )
    check_tenants(connection, [tenant_id])
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into api_key (key_id, tenant_id, name, scopes, digest, created_by, expires_at) "
            "values (%s, %s, %s, %s, %s, %s, %s)",
            (shown.key_id, tenant_id, name, list(scopes), shown.digest, actor, expires_at),
        )


def end_key(connection: Connection, key_id: str, at: datetime | None = None) -> None:
    """End a key; the caller writes the audit, and commits.

    Args:
        connection: an open connection of nights and commands.
        key_id: the key.
        at: let it expire at this time, unless it does so earlier; by default it is revoked at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update api_key set revoked_at = case when %(at)s::timestamptz is null then now() end, "
            "expires_at = least(expires_at, %(at)s) where key_id = %(key)s",
            {"at": at, "key": key_id},
        )


def get_key(connection: Connection, tenant_id: str, key_id: str) -> Key:
    """One key of a tenant.

    Raises:
        NotFoundError: the tenant has no such key.
    """
    found = [key for key in list_keys(connection, tenant_id) if key.key_id == key_id]
    if not found:
        raise NotFoundError(
            f"{tenant_id} has no key {key_id!r}: `recfleet key list {tenant_id}` shows its keys."
        )
    return found[0]


def list_keys(connection: Connection, tenant_id: str | None = None) -> list[Key]:
    """All keys, or those of one tenant, the newest last; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_SELECT} where %(tenant)s::text is null or tenant_id = %(tenant)s "
            "order by tenant_id, created_at, key_id",
            {"tenant": tenant_id},
        )
        return [Key(*row) for row in cursor]


def delete_keys_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all keys of a tenant; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from api_key where tenant_id = %s", (tenant_id,))
        return {"keys": cursor.rowcount}
