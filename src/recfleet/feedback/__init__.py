"""What came of answers: who was given one, and events."""

from recfleet.feedback._events import (
    MOST_EVENTS,
    Event,
    EventKind,
    Standing,
    as_rows,
    read_event,
)
from recfleet.feedback._exposures import (
    CONTROL,
    Channel,
    Exposure,
    delete_exposures_of,
    note_exposures,
)
from recfleet.feedback._load import Acknowledged, Tally, load_events
from recfleet.feedback._outcomes import Outcomes, read_outcomes
from recfleet.feedback._store import (
    Told,
    add_events,
    delete_events_of,
    events_of_answer,
    events_told_by,
)

__all__ = [
    "CONTROL",
    "MOST_EVENTS",
    "Acknowledged",
    "Channel",
    "Event",
    "EventKind",
    "Exposure",
    "Outcomes",
    "Standing",
    "Tally",
    "Told",
    "add_events",
    "as_rows",
    "delete_events_of",
    "delete_exposures_of",
    "events_of_answer",
    "events_told_by",
    "load_events",
    "note_exposures",
    "read_event",
    "read_outcomes",
]
