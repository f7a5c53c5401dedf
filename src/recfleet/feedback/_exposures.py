"""Exposures: which customer was given an answer on which day, by which channel and arm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal
from uuid import UUID

from recfleet.database import Connection, copy_rows

Channel = Literal["pull", "push"]
"""Asked for while the customer is there, or sent to them."""

CONTROL = "control"
"""The arm of customers who are kept out by lot and get no list."""

_AT_ONCE = 20_000
_COLUMNS = ("customer_id", "channel", "answered_at", "answer_id", "model_version", "arm")


@dataclass(frozen=True)
class Exposure:
    """A customer was given an answer, whether or not it had items."""

    customer_id: str
    channel: Channel
    answered_at: datetime
    answer_id: UUID | str | None = None
    """Of a campaign's list, so that its events are told apart; None: of a list that was asked
    for."""
    model_version: int | None = None
    """That made the list; None: no model."""
    arm: str | None = None
    """How the customer is served; ``control``: not at all, by lot. None: they are in no
    experiment."""


def note_exposures(connection: Connection, tenant_id: str, exposures: Iterable[Exposure]) -> int:
    """Note exposures; the first of a day, customer and channel counts. The caller commits.

    Args:
        connection: an open connection.
        tenant_id: the tenant; it exists.
        exposures: as many as one likes: they are written in batches.

    Returns:
        How many are new.
    """
    added = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "create temp table if not exists exposure_sent (customer_id text, channel text, "
            "answered_at timestamptz, answer_id uuid, model_version integer, arm text) "
            "on commit drop"
        )
        left = iter(exposures)
        while batch := list(islice(left, _AT_ONCE)):
            cursor.execute("truncate exposure_sent")
            copy_rows(
                connection,
                "exposure_sent",
                _COLUMNS,
                (tuple(getattr(one, name) for name in _COLUMNS) for one in batch),
            )
            cursor.execute(
                "insert into exposure (tenant_id, customer_id, channel, answered_at, answer_id, "
                "model_version, arm) select %s, * from exposure_sent "
                "order by customer_id, channel, answered_at on conflict do nothing",
                (tenant_id,),
            )
            added += cursor.rowcount
    return added
