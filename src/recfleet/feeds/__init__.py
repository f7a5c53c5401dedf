"""Feeds: data that comes by itself, from folders, buckets and databases.

- ``settings``, ``example``: what a feed's TOML file says.
- ``table``, ``ledger``: feeds, and what was taken from them, in the database.
- ``place``, ``folder``, ``bucket``: where files arrive, and when a file is complete.
- ``cursor``, ``query``: rows of a database, from a cursor on.
- ``take``, ``trial``: take what is new, once; or only look.
- ``night``, ``overview``: the feeds that a night waits for; all of them at one glance.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from recfleet.faces import import_on_demand

if TYPE_CHECKING:
    from recfleet.feeds.example import example_of
    from recfleet.feeds.ledger import list_takings
    from recfleet.feeds.night import late_feeds
    from recfleet.feeds.overview import feed_overview
    from recfleet.feeds.place import Access, FeedTroubleError
    from recfleet.feeds.settings import parse_feed
    from recfleet.feeds.table import (
        Feed,
        add_feed,
        delete_feeds_of,
        get_feed,
        list_feeds,
        pause_feed,
        remove_feed,
        rewind_feed,
        write_tested,
    )
    from recfleet.feeds.take import take_due, take_feed
    from recfleet.feeds.trial import try_feed
else:
    __getattr__ = import_on_demand(__name__, __file__)

__all__ = [
    "Access",
    "Feed",
    "FeedTroubleError",
    "add_feed",
    "delete_feeds_of",
    "example_of",
    "feed_overview",
    "get_feed",
    "late_feeds",
    "list_feeds",
    "list_takings",
    "parse_feed",
    "pause_feed",
    "remove_feed",
    "rewind_feed",
    "take_due",
    "take_feed",
    "try_feed",
    "write_tested",
]
