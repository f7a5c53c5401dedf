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


def connect(url: str | None = None, *, purpose: str = "recfleet") -> Connection:
    """Open a connection in UTC, with ``recfleet`` as its schema.

    Args:
        url: ``postgresql://…``; by default the settings' address.
        purpose: what Postgres shows as the connection's ``application_name``.

    Raises:
        psycopg2.OperationalError: nobody answers there.
    """
    return psycopg2.connect(
        url or database_settings().database_url,
        application_name=purpose,
        # A query ends when its client was killed, and gives its locks back.
        options="-c search_path=recfleet -c timezone=UTC -c client_connection_check_interval=1s",
    )


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
