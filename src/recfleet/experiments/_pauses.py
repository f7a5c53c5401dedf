"""Nights in which an experiment rested, because one of its arms could not be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recfleet.database import Connection


@dataclass(frozen=True)
class Pause:
    """A night in which all customers of an experiment got what everybody gets."""

    experiment_id: int
    arm: str
    """The one that could not be made."""
    reason: str


def keep_pauses(
    connection: Connection, night_id: int, as_of: datetime, pauses: Sequence[Pause]
) -> None:
    """Keep pauses of a night; a repeated one changes nothing. The caller commits."""
    with connection.cursor() as cursor:
        for one in pauses:
            cursor.execute(
                "insert into experiment_pause (experiment_id, night_id, as_of, arm, reason) "
                "values (%s, %s, %s, %s, %s) on conflict do nothing",
                (one.experiment_id, night_id, as_of, one.arm, one.reason),
            )


def pauses_of(connection: Connection, experiment_id: int) -> list[tuple[datetime, Pause]]:
    """As-of of each night in which an experiment rested, and why; the earliest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select as_of, experiment_id, arm, reason from experiment_pause "
            "where experiment_id = %s order by as_of, night_id",
            (experiment_id,),
        )
        return [(as_of, Pause(*rest)) for as_of, *rest in cursor]
