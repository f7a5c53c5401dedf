"""The ledger of takings: what was taken from a feed, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from recfleet.database import Connection, Row, read_rows
from recfleet.interactions import IngestReport

State = Literal["reading", "taken", "set aside"]

MOST_ATTEMPTS = 3
"""A file whose reading never ended, that often, is set aside: it may be what kills the process."""


class Key(NamedTuple):
    """One version of a file of a feed, or one batch of a query."""

    feed: str
    item: str
    version: str


@dataclass(frozen=True)
class Known:
    """What the ledger has about one version of a file."""

    state: State
    attempts: int
    reason: str | None
    is_moved: bool

    @property
    def is_poison(self) -> bool:
        """Whether its reading began so often and never ended that it may be the cause."""
        return self.state == "reading" and self.attempts >= MOST_ATTEMPTS


def known_takings(
    connection: Connection, feed: str, items: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Known]:
    """What is known of these items and versions; the others are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select item, version, state, attempts, reason, is_moved from feed_taking "
            "join unnest(%s::text[], %s::text[]) as found (item, version) using (item, version) "
            "where feed = %s",
            ([item for item, _ in items], [version for _, version in items], feed),
        )
        return {(item, version): Known(*rest) for item, version, *rest in cursor}


def begin_taking(connection: Connection, key: Key, tenant_id: str | None) -> None:
    """Note that a file is about to be read; the caller commits before it is opened."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into feed_taking (feed, item, version, tenant_id, state) "
            "values (%s, %s, %s, %s, 'reading') on conflict (feed, item, version) do update "
            "set attempts = case feed_taking.state when 'reading' then feed_taking.attempts + 1 "
            "else 1 end, state = 'reading', reason = null, is_moved = false, "
            "began_at = clock_timestamp(), ended_at = null, tenant_id = excluded.tenant_id",
            (*key, tenant_id),
        )


def end_taking(connection: Connection, key: Key, ingest_id: int, report: IngestReport) -> None:
    """Note that it is in, in the transaction that writes its lines."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed_taking set state = 'taken', ended_at = clock_timestamp(), "
            "ingest_id = %s, lines = %s, added = %s, unusable = %s "
            "where feed = %s and item = %s and version = %s and state = 'reading'",
            (ingest_id, report.lines, report.added, sum(report.unusable.values()), *key),
        )
        if cursor.rowcount != 1:
            raise RuntimeError(f"{key.item} of the feed {key.feed} is not being read")


def forget_taking(connection: Connection, key: Key) -> None:
    """Forget a reading that did not begin in earnest; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from feed_taking where feed = %s and item = %s and version = %s "
            "and state = 'reading'",
            key,
        )


def write_aside(connection: Connection, key: Key, reason: str) -> None:
    """Note that a file cannot be read; the caller commits before it is moved."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed_taking set state = 'set aside', reason = %s, "
            "ended_at = clock_timestamp() where feed = %s and item = %s and version = %s",
            (reason, *key),
        )


def write_moved(connection: Connection, key: Key) -> None:
    """Note that it is out of the folder; if somebody puts it back, it is read again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed_taking set is_moved = true where feed = %s and item = %s and version = %s",
            key,
        )


def last_version(connection: Connection, feed: str) -> str | None:
    """Version of the last batch that was taken, since the feed was changed or rewound."""
    found = read_rows(
        connection,
        "select version from feed_taking join feed using (feed) "
        "where feed = %s and state = 'taken' and ended_at > changed_at "
        "order by ended_at desc limit 1",
        (feed,),
    )
    return found[0]["version"] if found else None


def list_takings(connection: Connection, feed: str, limit: int) -> list[Row]:
    """What was taken from a feed last, or set aside, the newest first."""
    return read_rows(
        connection,
        "select item, state, began_at, ended_at, ingest_id, lines, added, unusable, reason, "
        "tenant_id from feed_taking where feed = %s "
        "order by coalesce(ended_at, began_at) desc, item limit %s",
        (feed, limit),
    )


def names_taken(connection: Connection, feed: str, since: datetime) -> list[str]:
    """Items that were taken since a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select item from feed_taking where feed = %s and state = 'taken' and ended_at > %s",
            (feed, since),
        )
        return [item for (item,) in cursor]
