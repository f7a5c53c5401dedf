"""The looks of experiments in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from recfleet.database import Connection
from recfleet.experiments._look import Look


@dataclass(frozen=True)
class KeptLook:
    """A look at a phase."""

    phase: int
    look: Look


def keep_look(connection: Connection, experiment_id: int, phase: int, look: Look) -> None:
    """Keep a look; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into experiment_look (experiment_id, phase, as_of, numbers) "
            "values (%s, %s, %s, %s)",
            (experiment_id, phase, look.as_of, look.text()),
        )


def looked_until(connection: Connection, experiment_id: int) -> datetime | None:
    """As-of of the last look at an experiment; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select max(as_of) from experiment_look where experiment_id = %s", (experiment_id,)
        )
        [(last,)] = cursor.fetchall()
    return cast("datetime | None", last)


def looks_of(connection: Connection, experiment_id: int) -> list[KeptLook]:
    """All looks at an experiment, the earliest first; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select phase, numbers from experiment_look where experiment_id = %s "
            "order by as_of, phase",
            (experiment_id,),
        )
        return [KeptLook(phase, Look.model_validate(numbers)) for phase, numbers in cursor]
