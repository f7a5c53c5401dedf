"""Analysts: logins of the database that see one tenant's live lists."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import encrypt_password

from recfleet.database import ANALYST, Connection
from recfleet.errors import BadInputError, NotFoundError
from recfleet.tenants._repository import check_tenants

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?")


@dataclass(frozen=True)
class Analyst:
    """One login."""

    tenant_id: str
    """The tenant whose lists it sees."""
    name: str
    """How people call it; unique within the tenant."""
    login: str
    """The role in Postgres."""
    added_at: datetime
    added_by: str


def add_login(
    connection: Connection, tenant_id: str, name: str, password: str, *, actor: str
) -> str:
    """Make an analyst's login; the caller commits.

    Args:
        connection: an open connection of nights and commands.
        tenant_id: the tenant that it is bound to.
        name: a name for it, in lower-case letters, digits and hyphens.
        password: its password, which the server never sees.
        actor: who adds it.

    Returns:
        The login.

    Raises:
        BadInputError: the name cannot be used, or the tenant has an analyst of that name.
        UnknownTenantError: there is no such tenant.
    """
    if not _NAME.fullmatch(name):
        raise BadInputError(
            f"{name!r} cannot be an analyst's name: use 1 to 31 lower-case letters, digits and "
            "hyphens, with a letter or digit at each end, such as 'mara'."
        )
    check_tenants(connection, [tenant_id])
    if any(known.name == name for known in list_analysts(connection, tenant_id)):
        raise BadInputError(
            f"{tenant_id} has an analyst {name} already: choose another name, or drop that one."
        )
    # Every login of the server can read the names of all: they tell no tenant and no person.
    login = f"{ANALYST}_{secrets.token_hex(6)}"
    verifier = encrypt_password(password, login, connection, "scram-sha-256")
    with connection.cursor() as cursor:
        cursor.execute(
            "select add_analyst(%s, %s, %s, %s, %s)", (login, tenant_id, name, verifier, actor)
        )
    return login


def drop_login(connection: Connection, tenant_id: str, name: str) -> str:
    """Drop an analyst's login, whose open sessions see nothing more; the caller commits.

    Returns:
        The login that was dropped.

    Raises:
        NotFoundError: the tenant has no analyst of that name.
    """
    found = [one for one in list_analysts(connection, tenant_id) if one.name == name]
    if not found:
        raise NotFoundError(
            f"{tenant_id} has no analyst {name}: `recfleet analyst list` shows whom there is."
        )
    with connection.cursor() as cursor:
        cursor.execute("select drop_analyst(%s)", (found[0].login,))
    return found[0].login


def drop_logins_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Drop all analysts' logins of a tenant; the caller commits.

    Returns:
        What was dropped -> how many.
    """
    found = list_analysts(connection, tenant_id)
    with connection.cursor() as cursor:
        for one in found:
            cursor.execute("select drop_analyst(%s)", (one.login,))
    return {"analysts": len(found)}


def list_analysts(connection: Connection, tenant_id: str | None = None) -> list[Analyst]:
    """All analysts, or those of one tenant; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, name, login, added_at, added_by from analyst "
            "where %(tenant)s::text is null or tenant_id = %(tenant)s order by tenant_id, name",
            {"tenant": tenant_id},
        )
        return [Analyst(*row) for row in cursor]
