"""Let analysts see one tenant's live lists, and no longer."""

from __future__ import annotations

import secrets

from psycopg2.extensions import parse_dsn

from recfleet.audit import AnalystFacts, Entry, append_entries, check_who_and_why
from recfleet.database import Connection, transaction
from recfleet.settings import application_settings
from recfleet.tenants import add_login, drop_login, lock_tenants


def add_analyst(
    connection: Connection, tenant_id: str, name: str, *, actor: str, reason: str
) -> str:
    """Make a login that sees one tenant's live lists, with an entry of the audit.

    Args:
        connection: an open connection of nights and commands; it commits.
        tenant_id: the tenant.
        name: a name for the login, unique within the tenant.
        actor: who adds it.
        reason: why.

    Returns:
        The login's address of the database, with its password, which nobody can read again.

    Raises:
        BadInputError: the actor, the reason or the name cannot be used.
        UnknownTenantError: there is no such tenant.
    """
    actor, reason = check_who_and_why(actor, reason)
    password = secrets.token_hex(16)
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        login = add_login(connection, tenant_id, name, password, actor=actor)
        _note(connection, tenant_id, AnalystFacts(login=login, change="added"), actor, reason)
    return _address(connection, login, password)


def drop_analyst(
    connection: Connection, tenant_id: str, name: str, *, actor: str, reason: str
) -> str:
    """Drop such a login, whose open sessions see nothing more, with an entry of the audit.

    Returns:
        The login.

    Raises:
        BadInputError: the actor or the reason is missing.
        NotFoundError: the tenant has no analyst of that name.
    """
    actor, reason = check_who_and_why(actor, reason)
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        login = drop_login(connection, tenant_id, name)
        _note(connection, tenant_id, AnalystFacts(login=login, change="dropped"), actor, reason)
    return login


def _address(connection: Connection, login: str, password: str) -> str:
    """Where people outside reach the database, as applications do."""
    known = parse_dsn(application_settings().application_database_url or connection.dsn)
    place = f"{known.get('host', '127.0.0.1')}:{known.get('port', '5432')}"
    return f"postgresql://{login}:{password}@{place}/{connection.info.dbname}"


def _note(
    connection: Connection, tenant_id: str, facts: AnalystFacts, actor: str, reason: str
) -> None:
    append_entries(connection, [Entry("analyst", tenant_id, actor, reason, facts=facts)])
