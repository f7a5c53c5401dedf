"""The roles of the local server's databases, in a new stack and in one of an earlier release."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import closing

import psycopg2
from psycopg2 import sql

from recfleet.database import Connection, hand_over, make_roles, set_passwords
from recfleet.local._environment import OWNERS, Secrets
from recfleet.local.postgres import PostgresServer

_EVERYBODYS = ("postgres", "template1")
"""Databases that every server has, and that nobody but the superuser needs here."""


def prepare(server: PostgresServer, secret: Secrets, former: Mapping[str, str]) -> set[str]:
    """Make the databases and the roles, with their passwords, and close each to the others.

    A stack of an earlier release had one role for everything: what that role owned is handed over,
    and as its password stood in ``stack.env``, it gets another one.

    Args:
        server: runs already.
        secret: the roles' passwords.
        former: the variables of the stack as it ran last.

    Returns:
        The databases that are new.
    """
    if any(server.password() in value for value in former.values()):
        server.change_password(secrets.token_hex(24))
    for role in OWNERS:
        server.create_role(role)
    created = {name for name in ("recfleet", *OWNERS.values()) if server.create_database(name)}
    with closing(psycopg2.connect(server.url("recfleet"))) as connection:
        make_roles(connection)
        for role, database in OWNERS.items():
            _close(connection, database, role)
        for database in _EVERYBODYS:
            _close(connection, database)
        set_passwords(connection, secret.database_passwords)
        connection.commit()
    for role, database in OWNERS.items():
        if database not in created:
            with closing(psycopg2.connect(server.url(database))) as connection, connection:
                hand_over(connection, "public", role)
    return created


def urls(server: PostgresServer, secret: Secrets) -> dict[str, str]:
    """The address of each role's database, by role."""
    return {
        role: server.url_of(role, password, OWNERS.get(role, "recfleet"))
        for role, password in secret.database_passwords.items()
    }


def _close(connection: Connection, database: str, owner: str | None = None) -> None:
    """Let nobody enter a database but its owner."""
    name = sql.Identifier(database)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("revoke all on database {} from public").format(name))
        if owner is not None:
            statement = sql.SQL("alter database {} owner to {}")
            cursor.execute(statement.format(name, sql.Identifier(owner)))
