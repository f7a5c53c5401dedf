"""What is deleted: everything of a tenant, everything of a customer, what is past retention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from recfleet.database import Connection

_TABLES = {
    "event": "events",
    "exposure": "exposures",
    "attribution": "attributed purchases",
    "kpi_day": "days of KPIs",
    "attributed_day": "days of attribution",
    "attributed": "states of attribution",
    "incremental": "comparisons with the control",
}
_OF_CUSTOMERS = {"event": "happened_at", "exposure": "answered_at", "attribution": "bought_at"}
"""Table -> the time by which a row is from before or after a customer is forgotten."""


def delete_feedback_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete everything of a tenant; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    gone = {}
    with connection.cursor() as cursor:
        for table, words in _TABLES.items():
            cursor.execute(f"delete from {table} where tenant_id = %s", (tenant_id,))  # noqa: S608
            gone[words] = cursor.rowcount
    return gone


def forget_feedback_of_customer(
    connection: Connection, tenant_id: str, customer_id: str, before: datetime
) -> dict[str, int]:
    """Delete a customer's events, exposures and attributed purchases from before a time.

    The next night counts the KPIs of these days without them. The caller commits.

    Returns:
        What was deleted -> how many.
    """
    gone = {}
    with connection.cursor() as cursor:
        for table, time in _OF_CUSTOMERS.items():
            cursor.execute(
                f"delete from {table} where tenant_id = %s and customer_id = %s "  # noqa: S608
                f"and {time} < %s",
                (tenant_id, customer_id, before),
            )
            gone[_TABLES[table]] = cursor.rowcount
    return gone


def delete_old_feedback(
    connection: Connection, tenant_ids: Sequence[str], before: datetime
) -> dict[str, int]:
    """Delete events, exposures and attributed purchases of tenants from before a time.

    KPIs of days stay: they are sums, and name nobody. The caller commits.

    Returns:
        What was deleted -> how many.
    """
    gone = {}
    with connection.cursor() as cursor:
        for table, time in (
            ("event", "received_at < %s"),
            ("exposure", "day < %s::timestamptz::date"),
            ("attribution", "day < %s::timestamptz::date"),
            ("attributed_day", "day < %s::timestamptz::date"),
        ):
            cursor.execute(
                f"delete from {table} where tenant_id = any(%s) and {time}",  # noqa: S608
                (list(tenant_ids), before),
            )
            gone[_TABLES[table]] = cursor.rowcount
    return gone
