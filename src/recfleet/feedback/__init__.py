"""What came of answers: who was given one, and events."""

from recfleet.feedback._deletion import (
    delete_feedback_of,
    delete_old_feedback,
    forget_feedback_of_customer,
)
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
    note_exposures,
)
from recfleet.feedback._incremental import Incremental, read_incremental
from recfleet.feedback._load import Acknowledged, Tally, load_events
from recfleet.feedback._outcomes import Outcomes, read_outcomes
from recfleet.feedback._store import (
    Told,
    add_events,
    events_of_answer,
    events_told_by,
)
from recfleet.feedback.insights import (
    ATTRIBUTED,
    BY,
    INCREMENTAL,
    FleetReturns,
    Insights,
    KpiDay,
    Kpis,
    add_up,
    read_fleet_returns,
    read_insights,
)
from recfleet.feedback.nightly import Attributed, attribute_fleet, attribute_tenant

__all__ = [
    "ATTRIBUTED",
    "BY",
    "CONTROL",
    "INCREMENTAL",
    "MOST_EVENTS",
    "Acknowledged",
    "Attributed",
    "Channel",
    "Event",
    "EventKind",
    "Exposure",
    "FleetReturns",
    "Incremental",
    "Insights",
    "KpiDay",
    "Kpis",
    "Outcomes",
    "Standing",
    "Tally",
    "Told",
    "add_events",
    "add_up",
    "as_rows",
    "attribute_fleet",
    "attribute_tenant",
    "delete_feedback_of",
    "delete_old_feedback",
    "events_of_answer",
    "events_told_by",
    "forget_feedback_of_customer",
    "load_events",
    "note_exposures",
    "read_event",
    "read_fleet_returns",
    "read_incremental",
    "read_insights",
    "read_outcomes",
]
