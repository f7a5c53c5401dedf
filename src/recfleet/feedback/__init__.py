"""What came of answers: events."""

from recfleet.feedback._events import (
    MOST_EVENTS,
    Event,
    EventKind,
    Standing,
    as_rows,
    read_event,
)
from recfleet.feedback._store import Told, delete_events_of, events_of_answer

__all__ = [
    "MOST_EVENTS",
    "Event",
    "EventKind",
    "Standing",
    "Told",
    "as_rows",
    "delete_events_of",
    "events_of_answer",
    "read_event",
]
