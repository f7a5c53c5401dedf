"""What came of answers: events."""

from recfleet.feedback._events import (
    EVENT_KINDS,
    LONGEST_ID,
    MOST_EVENTS,
    Event,
    EventKind,
    Standing,
    as_rows,
    read_event,
)
from recfleet.feedback._store import delete_events_of

__all__ = [
    "EVENT_KINDS",
    "LONGEST_ID",
    "MOST_EVENTS",
    "Event",
    "EventKind",
    "Standing",
    "as_rows",
    "delete_events_of",
    "read_event",
]
