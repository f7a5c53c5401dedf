"""What is deleted: everything of a tenant, everything of a customer, what is past retention."""

from __future__ import annotations

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
_OF_CUSTOMERS = ("event", "exposure", "attribution")


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
    connection: Connection, tenant_id: str, customer_id: str
) -> dict[str, int]:
    """Delete events, exposures and attributed purchases of a customer; the caller commits.

    KPIs of days stay: they are sums, and name nobody.

    Returns:
        What was deleted -> how many.
    """
    gone = {}
    with connection.cursor() as cursor:
        for table in _OF_CUSTOMERS:
            cursor.execute(
                f"delete from {table} where tenant_id = %s and customer_id = %s",  # noqa: S608
                (tenant_id, customer_id),
            )
            gone[_TABLES[table]] = cursor.rowcount
    return gone


def delete_old_feedback(connection: Connection, tenant_id: str, before: datetime) -> dict[str, int]:
    """Delete a tenant's events, exposures and attributed purchases before a time.

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
                f"delete from {table} where tenant_id = %s and {time}",  # noqa: S608
                (tenant_id, before),
            )
            gone[_TABLES[table]] = cursor.rowcount
    return gone
