"""Test a feed: what a look would take now, without taking it."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from recfleet.database import Connection
from recfleet.errors import RecfleetError
from recfleet.feeds.cursor import Cursor
from recfleet.feeds.ledger import known_takings
from recfleet.feeds.place import Found, Place
from recfleet.feeds.query import Query
from recfleet.feeds.settings import FeedSettings
from recfleet.feeds.table import Feed
from recfleet.feeds.take import Connect, folder_tenant, known_names, open_place
from recfleet.interactions import Look, look
from recfleet.interactions.facts import FactMapping, look_at_facts


def try_feed(connection: Connection, feed: Feed, connect: Connect) -> list[str]:
    """Look at a feed and at the first of what is new, and store nothing.

    Args:
        connection: an open connection; whatever is tried is undone.
        feed: the feed.
        connect: opens Airflow's connections.

    Returns:
        What was found, a sentence each; trouble is one of them.
    """
    try:
        if feed.settings.sql is not None:
            return _try_query(connection, feed, connect)
        return _try_files(connection, feed, open_place(feed, connect, datetime.now(UTC)))
    except RecfleetError as error:
        return [f"Trouble: {error}"]


def _try_files(connection: Connection, feed: Feed, place: Place) -> list[str]:
    arrived = place.find()
    keys = [(found.item, found.version) for found in arrived.complete]
    known = known_takings(connection, feed.feed, keys)
    new = [found for found, key in zip(arrived.complete, keys, strict=True) if key not in known]
    told = [
        f"{len(arrived.complete)} complete files, {len(new)} of them new; {arrived.unfinished} not "
        "complete yet."
    ]
    return told + (_look_at(connection, feed, place, new[0]) if new else [])


def _look_at(connection: Connection, feed: Feed, place: Place, found: Found) -> list[str]:
    tenant_id = folder_tenant(known_names(connection), feed, found)
    with place.fetch(found) as path:
        return [f"{found.item}:", *_seen(connection, feed.settings, path, tenant_id)]


def _try_query(connection: Connection, feed: Feed, connect: Connect) -> list[str]:
    part = feed.settings.sql
    if part is None:
        return []
    query = Query(part, connect(part.connection))
    batch = query.read(None if feed.cursor is None else Cursor.of(feed.cursor))
    missing = query.count_without_cursor()
    told = [f"{missing:,} rows have no {part.cursor} and are never read."] if missing else []
    if batch is None:
        return ["There is no new row.", *told]
    told.append(f"{len(batch.table):,} rows up to {part.cursor} {batch.last.plain()['value']}:")
    with tempfile.TemporaryDirectory(prefix="recfleet-feed-") as folder:
        path = Path(folder, f"{feed.feed}.parquet")
        batch.write(path)
        return told + _seen(connection, feed.settings, path, None)


def _seen(
    connection: Connection, settings: FeedSettings, path: Path, tenant_id: str | None
) -> list[str]:
    mapping = settings.mapping(tenant_id or "the-tenant")
    if isinstance(mapping, FactMapping):
        report = look_at_facts(connection, path, mapping, how=settings.reading())
        unusable = [f"{count:,} lines: {reason}." for reason, count in report.unusable.items()]
        return [
            f"{report.lines:,} lines; {report.added:,} new {mapping.subject}, {report.changed:,} "
            "changed.",
            *unusable,
            *report.notes,
        ]
    seen = look(connection, path, mapping.model_dump(exclude_none=True), settings.reading())
    return _sentences(seen)


def _sentences(seen: Look) -> list[str]:
    told = [
        f"{seen.lines:,} lines, {seen.usable:,} usable, {seen.customers:,} customers "
        f"({seen.new_customers:,} new), {seen.products:,} products."
    ]
    told += [f"{count:,} lines: {reason}." for reason, count in seen.unusable.items()]
    if seen.new_tenants:
        told.append(f"{len(seen.new_tenants)} new tenants: {', '.join(seen.new_tenants[:5])}.")
    if seen.begin and seen.end:
        told.append(f"From {seen.begin:%Y-%m-%d %H:%M} to {seen.end:%Y-%m-%d %H:%M}.")
    return told + list(seen.notes) + ([f"Trouble: {seen.trouble}"] if seen.trouble else [])
