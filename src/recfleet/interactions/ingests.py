"""The record of what was read into the tables: one ingest for each source."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2.extras import Json

from recfleet.database import Connection


def begin_ingest(connection: Connection, source: str, fingerprint: str) -> int:
    """Note that a source is being read; others see it when its lines are there.

    Args:
        connection: an open connection; the caller commits.
        source: the file's name, or how the lines came to be.
        fingerprint: of the source: equal ones hold equal lines.

    Returns:
        The number of the ingest.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ingest (source, fingerprint) values (%s, %s) returning ingest_id",
            (source, fingerprint),
        )
        [(ingest_id,)] = cursor.fetchall()
    return int(ingest_id)


def end_ingest(
    connection: Connection,
    ingest_id: int,
    *,
    lines: int,
    added: int,
    known: int,
    unusable: Mapping[str, int],
) -> None:
    """Note what came of an ingest; the caller commits.

    Args:
        connection: an open connection.
        ingest_id: from ``begin_ingest``.
        lines: read.
        added: new interactions.
        known: interactions that were there already.
        unusable: reason -> lines.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update ingest set finished_at = clock_timestamp(), lines = %s, added = %s, "
            "known = %s, unusable = %s where ingest_id = %s",
            (lines, added, known, Json(dict(unusable)), ingest_id),
        )


def sources_with_prefix(connection: Connection, prefix: str) -> list[str]:
    """The sources of all ingests whose source begins with a text, the oldest ingest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select source from ingest where starts_with(source, %s) order by ingest_id", (prefix,)
        )
        return [source for (source,) in cursor]
