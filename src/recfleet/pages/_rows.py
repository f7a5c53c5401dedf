"""Rows of a query as dictionaries, for pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.database import Connection

Row = dict[str, Any]


def rows(
    connection: Connection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[Row]:
    """All rows of a query with named parameters."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, dict(parameters or {}))
        return [dict(row) for row in cursor]


def one(
    connection: Connection, query: str, parameters: Mapping[str, Any] | None = None
) -> Row | None:
    """The first row, or None."""
    found = rows(connection, query, parameters)
    return found[0] if found else None
