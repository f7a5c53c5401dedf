"""Connections to recfleet's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions

from recfleet.settings import database_settings

Connection = extensions.connection
"""An open connection to a database; the whole code uses this name."""

Cursor = extensions.cursor
"""A cursor, which runs statements on a connection."""

NEVER_PLAIN = "!password"
"""What libpq's ``require_auth`` must be so that a server never gets a password as plain text."""
_HERE = {"127.0.0.1", "::1", "localhost"}


def connect(url: str | None = None, *, purpose: str = "recfleet") -> Connection:
    """Open a connection in UTC, with ``recfleet`` as its schema.

    Args:
        url: ``postgresql://…``; by default the settings' address.
        purpose: what Postgres shows as the connection's ``application_name``.

    Raises:
        psycopg2.OperationalError: nobody answers there.
    """
    address = url or database_settings().database_url
    return psycopg2.connect(
        address,
        application_name=purpose,
        require_auth=NEVER_PLAIN if _is_here(address) else None,
        # A query ends when its client was killed, and gives its locks back.
        options="-c search_path=recfleet -c timezone=UTC -c client_connection_check_interval=1s",
    )


def _is_here(address: str) -> bool:
    """Whether others could have taken the port of a server that is down, and ask for a password."""
    known = extensions.parse_dsn(address)
    return known.get("host") in _HERE and "require_auth" not in known


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block did; roll it back when the block raises."""
    try:
        yield
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    connection.commit()
