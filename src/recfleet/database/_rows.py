"""Rows of a query as dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.database._connection import Connection

Row = dict[str, Any]
"""Column -> value."""

Parameters = Mapping[str, Any] | Sequence[Any]


def read_rows(
    connection: Connection, query: str, parameters: Parameters | None = None
) -> list[Row]:
    """All rows of a query; the caller ends the transaction.

    Args:
        connection: an open connection.
        query: with parameters as ``%(name)s`` or ``%s``; a literal percent sign is ``%%``.
        parameters: by name or by place.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, {} if parameters is None else parameters)
        return [dict(row) for row in cursor]


def read_row(
    connection: Connection, query: str, parameters: Parameters | None = None
) -> Row | None:
    """The first row of a query, or None; the caller ends the transaction."""
    found = read_rows(connection, query, parameters)
    return found[0] if found else None
