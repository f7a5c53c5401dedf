"""The events in the database; the HTTP service adds them by a function of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from recfleet.database import Connection
from recfleet.feedback._events import EventKind, Standing


@dataclass(frozen=True)
class Told:
    """What came of one product of an answer."""

    event_id: str
    kind: EventKind
    product_id: str
    customer_id: str | None
    position: int | None
    happened_at: datetime
    received_at: datetime
    standing: Standing
    told_by: str
    """The key that told it."""


def events_of_answer(connection: Connection, tenant_id: str, answer: UUID) -> list[Told]:
    """What came of an answer, the earliest first; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select event_id, kind, product_id, customer_id, position, happened_at, received_at, "
            "standing, told_by from event where tenant_id = %s and answer_id = %s "
            "order by happened_at, received_at, event_id",
            (tenant_id, str(answer)),
        )
        return [Told(*row) for row in cursor]


def delete_events_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all events of a tenant; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from event where tenant_id = %s", (tenant_id,))
        return {"events": cursor.rowcount}
