"""All feeds at one glance: last load, lines, unusable, late, broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from recfleet.database import Connection, Row, read_rows
from recfleet.errors import BadInputError
from recfleet.feeds.night import late_feeds
from recfleet.feeds.table import Feed, list_feeds

_COUNTS = """
select feed, max(ended_at) filter (where state = 'taken') as last_load,
       coalesce(sum(lines) filter (where state = 'taken' and ended_at > %(since)s), 0)::bigint
         as lines,
       coalesce(sum(unusable) filter (where state = 'taken' and ended_at > %(since)s), 0)::bigint
         as unusable,
       count(*) filter (where state = 'set aside') as aside
  from feed_taking group by feed
"""
_DAY = timedelta(days=1)


def feed_overview(connection: Connection, now: datetime | None = None) -> list[Row]:
    """Every feed, the broken and the late first, then by name.

    Args:
        connection: an open connection; the caller ends the transaction.
        now: the moment.

    Returns:
        Rows with ``feed``, ``kind``, ``data``, ``state`` (broken, late, paused or ok), ``why``,
        ``last_load``, and of the last 24 hours ``lines`` and ``unusable``; ``aside`` counts files
        that were set aside and not put back.
    """
    now = now or datetime.now(UTC)
    counts = {row["feed"]: row for row in read_rows(connection, _COUNTS, {"since": now - _DAY})}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    late = late_feeds(connection, midnight)
    rows = [_row(feed, late, counts.get(feed.feed, {})) for feed in list_feeds(connection)]
    order = ("broken", "late", "ok", "paused")
    return sorted(rows, key=lambda row: (order.index(row["state"]), row["feed"]))


def _row(feed: Feed, late: dict[str, str], counts: Row) -> Row:
    try:
        kind, data = feed.settings.kind, feed.settings.data
        trouble = feed.trouble
    except BadInputError as error:
        kind, data, trouble = None, None, str(error)
    state, why = "ok", late.get(feed.feed)
    if feed.paused_at is not None:
        state = "paused"
    elif trouble:
        state, why = "broken", trouble
    elif why:
        state = "late"
    return {
        "feed": feed.feed,
        "kind": kind,
        "data": data,
        "state": state,
        "why": why,
        "last_load": counts.get("last_load"),
        "lines": counts.get("lines", 0),
        "unusable": counts.get("unusable", 0),
        "aside": counts.get("aside", 0),
        "looked_at": feed.looked_at,
        "tenant_id": feed.settings.tenant if kind else None,
    }
