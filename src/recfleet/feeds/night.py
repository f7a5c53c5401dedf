"""Which feeds a night waits for, and which it goes without."""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.feeds.ledger import names_taken
from recfleet.feeds.table import Feed, list_feeds

_DAY = timedelta(days=1)


def late_feeds(connection: Connection, as_of: datetime) -> dict[str, str]:
    """Feeds whose data of the day before a night is not in, as far as they can tell.

    A feed is in when a look that began at as-of or later came to its end and left no file that was
    still being written; and, if it expects a file of each day, when that day's file was taken. A
    paused feed, and one that nights do not wait for, is never late.

    Args:
        connection: an open connection; the caller ends the transaction.
        as_of: the night's.

    Returns:
        Feed -> why it is late, in words.
    """
    late = {}
    for feed in list_feeds(connection):
        if feed.paused_at is None and (why := _why_late(connection, feed, as_of)):
            late[feed.feed] = why
    return late


def _why_late(connection: Connection, feed: Feed, as_of: datetime) -> str | None:
    try:
        night = feed.settings.night
    except BadInputError as error:
        return str(error)
    if not night.waits:
        return None
    if feed.looked_at is None or feed.looked_at < as_of or feed.trouble:
        return feed.trouble or "nobody has looked at it since"
    if feed.unfinished:
        files = "1 file is" if feed.unfinished == 1 else f"{feed.unfinished} files are"
        return f"{files} still being written"
    return None if night.expects is None else _missing(connection, feed, night.expects, as_of)


def _missing(connection: Connection, feed: Feed, expects: str, as_of: datetime) -> str | None:
    wanted = expected_name(expects, as_of)
    # A name without a day in it would be met by any file that ever came.
    taken = names_taken(connection, feed.feed, as_of - _DAY)
    if any(is_expected(item, wanted) for item in taken):
        return None
    return f"no file {wanted} has come"


def expected_name(pattern: str, as_of: datetime) -> str:
    """The name of the file with the day that ended with as-of."""
    return (as_of - timedelta(microseconds=1)).strftime(pattern)


def is_expected(item: str, wanted: str) -> bool:
    """Whether a taken file is the wanted one, by its whole name or by its last part."""
    return fnmatchcase(item, wanted) or fnmatchcase(PurePosixPath(item).name, wanted)
