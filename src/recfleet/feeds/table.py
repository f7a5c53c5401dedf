"""Feeds in the database: add, change, pause, remove, and how the last look went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, LiteralString

from recfleet.audit import Entry, FeedFacts, append_entries, check_who_and_why
from recfleet.database import Connection, read_rows
from recfleet.errors import BadInputError, NotFoundError
from recfleet.feeds.settings import FeedSettings, check_name, parse_feed

_SELECT: LiteralString = (
    "select feed, toml, added_at, added_by, changed_at, paused_at, looked_at, tried_at, trouble, "
    "unfinished, cursor, without, tested from feed "
)


@dataclass(frozen=True)
class Feed:
    """Where data comes from by itself."""

    feed: str
    """Its name."""
    toml: str
    added_at: datetime
    added_by: str
    changed_at: datetime
    paused_at: datetime | None
    looked_at: datetime | None
    """The beginning of the last look that came to its end."""
    tried_at: datetime | None
    """The beginning of the last look."""
    trouble: str | None
    """Why that one did not come to its end."""
    unfinished: int
    """Files that were not complete then."""
    cursor: Mapping[str, Any] | None
    """How far a query was read."""
    without: tuple[str, ...]
    """Tenants that were deleted; their folders are left alone."""
    tested: Mapping[str, Any] | None
    """What came of the last test."""

    @cached_property
    def settings(self) -> FeedSettings:
        """What its TOML says.

        Raises:
            BadInputError: it cannot be used by this release.
        """
        return parse_feed(self.toml)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to look: also after a midnight, because the night waits.

        A look that failed is repeated at the next occasion.
        """
        if self.paused_at is not None:
            return False
        # A minute less, because the DAG that looks comes every few minutes, now early, now late.
        early = timedelta(minutes=1)
        if self.looked_at is None or self.looked_at <= now - self.settings.every + early:
            return True
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.settings.night.waits and self.looked_at < midnight


def add_feed(connection: Connection, name: str, toml: str, *, actor: str, reason: str) -> bool:
    """Add a feed, or give a feed new settings, with an entry of the audit; the caller commits.

    New settings change nothing of what was taken. Files that were set aside may be put back then.

    Returns:
        Whether it is new.

    Raises:
        BadInputError: the name, the settings, the actor or the reason cannot be used.
    """
    actor, reason = check_who_and_why(actor, reason)
    settings = parse_feed(toml)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into feed (feed, toml, tenant_id, added_by) values (%s, %s, %s, %s) "
            "on conflict (feed) do update set toml = excluded.toml, "
            "tenant_id = excluded.tenant_id, changed_at = clock_timestamp(), trouble = null, "
            "looked_at = null "
            "returning xmax = 0",
            (check_name(name), toml, settings.tenant, actor),
        )
        [(is_new,)] = cursor.fetchall()
        # Other settings may be able to read what these could not.
        cursor.execute("delete from feed_taking where feed = %s and state = 'set aside'", (name,))
    facts = FeedFacts(feed=name, change="added" if is_new else "changed", toml=toml)
    _note(connection, facts, settings.tenant, actor, reason)
    return bool(is_new)


def list_feeds(connection: Connection) -> list[Feed]:
    """All feeds, by name."""
    return [_feed(row) for row in read_rows(connection, _SELECT + "order by feed")]


def get_feed(connection: Connection, name: str) -> Feed:
    """One feed.

    Raises:
        NotFoundError: there is none of this name.
    """
    found = read_rows(connection, _SELECT + "where feed = %s", (name,))
    if not found:
        raise NotFoundError(f"There is no feed {name!r}: `recfleet feed list` has them.")
    return _feed(found[0])


def pause_feed(connection: Connection, name: str, *, paused: bool, actor: str, reason: str) -> None:
    """Leave a feed alone for a while, or look at it again, with an entry of the audit.

    The caller commits.
    """
    actor, reason = check_who_and_why(actor, reason)
    feed = get_feed(connection, name)
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed set paused_at = case when %s then coalesce(paused_at, now()) end "
            "where feed = %s",
            (paused, name),
        )
    facts = FeedFacts(feed=name, change="paused" if paused else "resumed")
    _note(connection, facts, feed.settings.tenant, actor, reason)


def remove_feed(connection: Connection, name: str, *, actor: str, reason: str) -> None:
    """Forget a feed and what was taken from it, with an entry of the audit; loads stay.

    The caller commits.
    """
    actor, reason = check_who_and_why(actor, reason)
    feed = get_feed(connection, name)
    with connection.cursor() as cursor:
        cursor.execute("delete from feed where feed = %s", (name,))
    facts = FeedFacts(feed=name, change="removed", toml=feed.toml)
    _note(connection, facts, feed.settings.tenant, actor, reason)


def rewind_feed(
    connection: Connection, name: str, text: str | None, *, actor: str, reason: str
) -> None:
    """Have a query read from another value of the cursor on, with an entry of the audit.

    The caller commits.

    Args:
        connection: an open connection.
        name: the feed.
        text: the value; None: from the beginning.
        actor: who wants it.
        reason: why.

    Raises:
        BadInputError: it is no query, or the text is no such value.
    """
    from recfleet.feeds.cursor import Cursor

    actor, reason = check_who_and_why(actor, reason)
    feed = get_feed(connection, name)
    if feed.settings.kind != "sql":
        raise BadInputError(f"{name} has no cursor: it is a {feed.settings.kind} feed.")
    new = None
    if text is not None:
        if feed.cursor is None:
            raise BadInputError(f"{name} was not read yet: it begins at the beginning.")
        new = Cursor.of(feed.cursor).parse(text).plain()
    write_cursor(connection, name, new)
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed set trouble = null, looked_at = null, changed_at = clock_timestamp() "
            "where feed = %s",
            (name,),
        )
    facts = FeedFacts(feed=name, change="rewound", to=text)
    _note(connection, facts, feed.settings.tenant, actor, reason)


def write_cursor(connection: Connection, name: str, value: Mapping[str, Any] | None) -> None:
    """Note how far a query was read; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed set cursor = %s where feed = %s",
            (None if value is None else json.dumps(value), name),
        )


def begin_look(connection: Connection, name: str, at: datetime) -> None:
    """Note that somebody looks; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("update feed set tried_at = %s where feed = %s", (at, name))


def end_look(
    connection: Connection, name: str, at: datetime, *, trouble: str | None, unfinished: int
) -> None:
    """Note how a look ended; the caller commits.

    Args:
        connection: an open connection.
        name: the feed.
        at: when the look began.
        trouble: why it did not come to its end; None: it did.
        unfinished: files that were not complete.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update feed set trouble = %(trouble)s, unfinished = %(unfinished)s, "
            "looked_at = case when %(trouble)s::text is null then %(at)s else looked_at end "
            "where feed = %(feed)s",
            {"trouble": trouble, "unfinished": unfinished, "at": at, "feed": name},
        )


def write_tested(connection: Connection, name: str, told: Mapping[str, Any]) -> None:
    """Keep what came of a test; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("update feed set tested = %s where feed = %s", (json.dumps(told), name))


def delete_feeds_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete a tenant's feeds; the caller commits.

    Feeds of several tenants stay; those with a folder for each leave this tenant's alone.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from feed where tenant_id = %s", (tenant_id,))
        feeds = cursor.rowcount
        cursor.execute(
            "update feed set without = without || %s::text "
            "where tenant_id is null and not %s = any(without)",
            (tenant_id, tenant_id),
        )
        cursor.execute("delete from feed_taking where tenant_id = %s", (tenant_id,))
        return {"feeds": feeds, "files of feeds": cursor.rowcount}


def _feed(row: Mapping[str, Any]) -> Feed:
    return Feed(**{**row, "without": tuple(row["without"])})


def _note(
    connection: Connection, facts: FeedFacts, tenant_id: str | None, actor: str, reason: str
) -> None:
    append_entries(connection, [Entry("feed", tenant_id, actor, reason, facts=facts)])
