"""The roles of a test's database: fixtures run as those of nights and commands, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from recfleet.database import LOGINS, Connection, connect, open_to_roles, set_passwords, transaction
from recfleet.local import PostgresServer

PASSWORD = "a-password-of-the-tests"
MLFLOW = "mlflow"
"""The role that owns MLflow's databases."""

_servers: dict[int, PostgresServer] = {}
"""Port -> the server."""


def make_logins(server: PostgresServer) -> None:
    """Let the roles log in with the tests' password; their database is migrated already."""
    _servers[server.port] = server
    with closing(psycopg2.connect(server.url())) as admin, transaction(admin):
        set_passwords(admin, dict.fromkeys((*LOGINS, MLFLOW), PASSWORD))


def make_database(server: PostgresServer, name: str, template: str) -> None:
    """Copy a migrated database, and open the copy to recfleet's roles."""
    server.create_database(name, template=template)
    with closing(psycopg2.connect(server.url())) as admin, transaction(admin):
        open_to_roles(admin, name)


def url_of(server: PostgresServer, role: str, database: str) -> str:
    """A role's address of a database."""
    return server.url_of(role, PASSWORD, database)


@contextmanager
def administrator(connection: Connection) -> Iterator[Connection]:
    """A superuser's connection to the database of another; committed with the block."""
    server = _servers[connection.info.port]
    with closing(connect(server.url(connection.info.dbname))) as admin, transaction(admin):
        yield admin


def administer(connection: Connection, *statements: str) -> None:
    """Do what no role of recfleet may, in the database of a connection, and commit it."""
    with administrator(connection) as admin, admin.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
