"""The events in the database; the HTTP service adds them by a function of the database."""

from __future__ import annotations

from recfleet.database import Connection


def delete_events_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all events of a tenant; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from event where tenant_id = %s", (tenant_id,))
        return {"events": cursor.rowcount}
