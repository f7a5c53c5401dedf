"""Connections to recfleet's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions

from recfleet.settings import database_settings

Connection = extensions.connection
"""An open connection to a database; one name for it in the whole house."""

Cursor = extensions.cursor
"""What runs statements on it."""


def connect(url: str | None = None, *, purpose: str = "recfleet") -> Connection:
    """Open a connection in UTC, with ``recfleet`` as its schema.

    Args:
        url: ``postgresql://…``; by default that of the settings.
        purpose: what Postgres shows as the connection's ``application_name``.

    Raises:
        psycopg2.OperationalError: nobody answers there.
    """
    return psycopg2.connect(
        url or database_settings().database_url,
        application_name=purpose,
        # A query whose client was killed ends with it, and gives back its locks.
        options="-c search_path=recfleet -c timezone=UTC -c client_connection_check_interval=1s",
    )


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block did, or nothing of it when it raises."""
    try:
        yield
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    connection.commit()
