"""The record of loads into the tables: one ingest for each source."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2.extras import Json

from recfleet.database import Connection


def begin_ingest(connection: Connection, source: str, fingerprint: str) -> int:
    """Record that a source is being read; others see the record together with its lines.

    Args:
        connection: an open connection; the caller commits.
        source: the file's name, or another origin of the lines.
        fingerprint: fingerprint of the source; equal fingerprints mean equal lines.

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
    """Record the result of an ingest; the caller commits.

    Args:
        connection: an open connection.
        ingest_id: the number from ``begin_ingest``.
        lines: lines read.
        added: new interactions.
        known: interactions that were already there.
        unusable: reason -> lines.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update ingest set finished_at = clock_timestamp(), lines = %s, added = %s, "
            "known = %s, unusable = %s where ingest_id = %s",
            (lines, added, known, Json(dict(unusable)), ingest_id),
        )


def sources_with_prefix(connection: Connection, prefix: str) -> list[str]:
    """Sources that begin with a text, of all ingests, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select source from ingest where starts_with(source, %s) order by ingest_id", (prefix,)
        )
        return [source for (source,) in cursor]
