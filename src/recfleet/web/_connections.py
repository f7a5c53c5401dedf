"""Connections for one request, with time limits, so that nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import make_dsn

from recfleet.database import Connection, connect
from recfleet.settings import database_settings, pages_settings

_SECONDS_TO_CONNECT = 5
_SECONDS_TO_READ = 20


@contextmanager
def open_database(*, purpose: str, readonly: bool) -> Iterator[Connection]:
    """A connection that gives up in time, and is closed with the block.

    Args:
        purpose: what Postgres shows as the connection's ``application_name``.
        readonly: the connection is the pages' own, which can change nothing, and each statement may
            take 20 seconds. A writing connection has no such limit: an operation ends, or is
            undone, by its own rules.

    Raises:
        psycopg2.OperationalError: Postgres does not answer within 5 seconds.
    """
    address = make_dsn(_address(readonly=readonly), connect_timeout=_SECONDS_TO_CONNECT)
    connection = connect(address, purpose=purpose)
    try:
        connection.set_session(readonly=readonly)
        if readonly:
            with connection.cursor() as cursor:
                cursor.execute("set statement_timeout = %s", (_SECONDS_TO_READ * 1000,))
        yield connection
    finally:
        connection.close()


def _address(*, readonly: bool) -> str:
    own = pages_settings().pages_database_url if readonly else None
    return own or database_settings().database_url
