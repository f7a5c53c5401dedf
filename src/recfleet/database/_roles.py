"""The roles of recfleet's database: who owns it, and who enters it for what.

``docs/roles.md`` has what each may do. Roles belong to a whole server, so the databases of one
server share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password, parse_dsn

from recfleet.database._connection import Connection, transaction
from recfleet.errors import ConfigurationError

OWNER = "recfleet_owner"
"""Owns the schema; nobody logs in as it."""

LIVE = "recfleet_live"
"""Owns the live views, so that row security holds for whoever reads them; nobody logs in as it."""

WRITER = "recfleet_writer"
"""Nights and commands."""

READER = "recfleet_reader"
"""Pages."""

APPLICATION = "recfleet_application"
"""Applications, which see the live views of all tenants."""

API = "recfleet_api"
"""The HTTP service, which sees the tenant that a caller's key opens."""

ANALYST = "recfleet_analyst"
"""What all analysts have in common; their logins' names begin with it."""

LOGINS = (WRITER, READER, APPLICATION, API)
"""The roles that log in with a password of recfleet's settings."""

SCHEMA = "recfleet"

# Identity columns take their sequence along; types of a table's own rows belong to the table.
_OTHERS_OBJECTS = """
select kind, name from (
  select 1 as place, 'table' as kind, oid::regclass::text as name, relowner as owner
    from pg_class
   where relnamespace = %(schema)s::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
     and not exists (select from pg_depend
                      where classid = 'pg_class'::regclass and objid = pg_class.oid
                        and deptype in ('a', 'i') and relkind = 'S')
  union all
  select 2, 'routine', oid::regprocedure::text, proowner
    from pg_proc where pronamespace = %(schema)s::regnamespace
  union all
  select 3, 'type', oid::regtype::text, typowner
    from pg_type where typnamespace = %(schema)s::regnamespace and typtype in ('e', 'd')
  union all
  select 4, 'schema', quote_ident(nspname), nspowner
    from pg_namespace where nspname = %(schema)s and nspname <> 'public'
) as object
 where owner <> all (%(owners)s::regrole[]::oid[])
 order by place
"""


def make_roles(connection: Connection) -> None:
    """Make what is missing of recfleet's roles, and close the database to everybody else.

    What an earlier release left to another owner is handed over. It may be called again.

    Args:
        connection: of an administrator of the server, to recfleet's database; it commits.

    Raises:
        ConfigurationError: the connection's role may not do that.
    """
    script = Path(__file__).with_name("roles.sql").read_text(encoding="utf-8")
    try:
        with transaction(connection):
            with connection.cursor() as cursor:
                cursor.execute(script)
            open_to_roles(connection, connection.info.dbname)
            hand_over(connection, SCHEMA, OWNER, also=(LIVE,))
    except psycopg2.errors.InsufficientPrivilege as error:
        user = parse_dsn(connection.dsn).get("user")
        raise ConfigurationError(
            f"the role {user} cannot make the roles of recfleet's database "
            f"({str(error).splitlines()[0]}): set RECFLEET_ADMIN_DATABASE_URL to the address of an "
            "administrator of the server"
        ) from None


def open_to_roles(connection: Connection, database: str) -> None:
    """Give recfleet's database to its owner, and open it to recfleet's roles alone.

    Args:
        connection: of an administrator, to any database of the server; the caller commits.
        database: the database's name; a copy of another is open to everybody.
    """
    names = {
        "database": sql.Identifier(database),
        "owner": sql.Identifier(OWNER),
        "writer": sql.Identifier(WRITER),
        "readers": sql.SQL(", ").join(map(sql.Identifier, (READER, APPLICATION, API, ANALYST))),
    }
    statements = """
    alter database {database} owner to {owner};
    revoke all on database {database} from public;
    grant connect, temporary on database {database} to {writer};
    grant connect on database {database} to {readers}
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statements).format(**names))


def hand_over(
    connection: Connection, schema: str, owner: str, *, also: tuple[str, ...] = ()
) -> None:
    """Make a role the owner of all that a schema has.

    Args:
        connection: of an administrator; the caller commits.
        schema: of the connection's database; there may be none.
        owner: the role.
        also: other roles that keep what they own.
    """
    with connection.cursor() as cursor:
        cursor.execute("select to_regnamespace(%s) is not null", (schema,))
        if cursor.fetchone() != (True,):
            return
        cursor.execute(_OTHERS_OBJECTS, {"schema": schema, "owners": [owner, *also]})
        for kind, name in cursor.fetchall():
            cursor.execute(
                sql.SQL("alter {} {} owner to {}").format(
                    sql.SQL(kind), sql.SQL(name), sql.Identifier(owner)
                )
            )


def set_passwords(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Give roles that log in their passwords, which the server never sees.

    Args:
        connection: of an administrator; the caller commits.
        passwords: role -> password.
    """
    with connection.cursor() as cursor:
        for role, password in passwords.items():
            verifier = encrypt_password(password, role, connection, "scram-sha-256")
            cursor.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(role), sql.Literal(verifier)
                )
            )


def passwords_in(*addresses: str | None) -> dict[str, str]:
    """The passwords that addresses of recfleet's database name, of recfleet's own roles.

    Args:
        *addresses: ``postgresql://role:password@host:port/name``, or None.

    Returns:
        Role -> password, of the roles of ``LOGINS``.
    """
    parts = [parse_dsn(address) for address in addresses if address]
    return {
        part["user"]: part["password"]
        for part in parts
        if part.get("user") in LOGINS and part.get("password")
    }


def admit(admin_url: str, *addresses: str | None) -> None:
    """Let recfleet's roles log in as their addresses say; see ``passwords_in``.

    Args:
        admin_url: the address of an administrator of the server.
        *addresses: the roles' addresses.
    """
    with closing(psycopg2.connect(admin_url)) as connection, transaction(connection):
        set_passwords(connection, passwords_in(*addresses))
