"""The events in the database; the HTTP service adds them by a function of the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from recfleet.database import Connection
from recfleet.feedback._events import Event, EventKind, Standing, as_rows


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


def events_told_by(
    connection: Connection, tenant_id: str, told_by: str, since: datetime
) -> list[Told]:
    """What somebody told of a tenant since a time of arrival; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select event_id, kind, product_id, customer_id, position, happened_at, received_at, "
            "standing, told_by from event where tenant_id = %s and told_by = %s "
            "and received_at >= %s order by happened_at, received_at, event_id",
            (tenant_id, told_by, since),
        )
        return [Told(*row) for row in cursor]


def add_events(
    connection: Connection,
    tenant_id: str,
    events: Iterable[Event],
    *,
    received_at: datetime,
    told_by: str,
) -> set[str]:
    """Keep events that come in a file or from a simulation; the caller commits.

    Other callers of the tenant wait until then: commit after some thousand events.

    Args:
        connection: of the writer's role.
        tenant_id: the tenant; it exists.
        events: of several with one id, the first is kept.
        received_at: when they count as arrived; their standing follows from it.
        told_by: who tells them, such as ``file events.csv``.

    Returns:
        The ids that were there before. These events stay as they were.
    """
    return add_rows(
        connection,
        tenant_id,
        as_rows(events, received_at),
        received_at=received_at,
        told_by=told_by,
    )


def add_rows(
    connection: Connection,
    tenant_id: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    received_at: datetime,
    told_by: str,
) -> set[str]:
    """As ``add_events``, of rows that ``as_rows`` has made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select recfleet.add_events(%s, %s, %s, %s)",
            (tenant_id, received_at, told_by, json.dumps(rows)),
        )
        [[repeated]] = cursor.fetchall()
    return set(repeated)
