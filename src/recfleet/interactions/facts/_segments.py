"""The customers of a segment."""

from __future__ import annotations

from recfleet.database import Connection
from recfleet.errors import BadInputError


def customers_in_segment(connection: Connection, tenant_id: str, segment: str) -> list[str]:
    """The customers of a segment, by what is known of them now.

    Raises:
        BadInputError: nobody is in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select customer_id from customer where tenant_id = %s and segment = %s "
            'order by customer_id collate "C"',
            (tenant_id, segment),
        )
        found = [customer_id for (customer_id,) in cursor]
    if not found:
        raise BadInputError(f"{tenant_id} has no customer in a segment {segment!r}.")
    return found
