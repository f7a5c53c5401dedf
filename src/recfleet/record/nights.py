"""Nights: begin one, find one, and write what concerns it as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from recfleet.database import Connection

NightKind = Literal["fleet", "backfill", "operator"]
_NIGHT = "night_id, run_id, as_of, kind, is_trial"


@dataclass(frozen=True)
class Night:
    """One nightly run, a night of the past run again, or what a person did by day."""

    night_id: int
    run_id: str
    as_of: datetime
    kind: NightKind = "fleet"
    is_trial: bool = False
    """Whether it changes neither champions nor live releases."""

    @property
    def label(self) -> str:
        """What MLflow's pages put before the names of its runs; empty for the fleet's nights."""
        return self.kind if self.is_trial else ""

    @property
    def kind_in_words(self) -> str:
        """The kind, and whether it is a trial."""
        return f"{self.kind}, a trial" if self.is_trial else self.kind


def open_night(
    connection: Connection,
    run_id: str,
    logical_date: datetime | None,
    as_of: datetime,
    *,
    kind: NightKind = "fleet",
    is_trial: bool = False,
    backfill: str | None = None,
) -> Night:
    """Get the night of that run; begin it if it does not exist yet.

    Args:
        connection: an open connection; the caller commits.
        run_id: of the Airflow run, or another name that no other night has.
        logical_date: of the run; None: it has none.
        as_of: the night sees no later data.
        kind: why there is this night.
        is_trial: whether it changes neither champions nor live releases.
        backfill: for a night of a backfill, the Airflow run of all its nights.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, logical_date, as_of, kind, is_trial, backfill) "  # noqa: S608
            "values (%s, %s, %s, %s, %s, %s) "
            "on conflict (run_id) do update set status = 'running', finished_at = null "
            f"returning {_NIGHT}",
            (run_id, logical_date, as_of, kind, is_trial, backfill),
        )
        return Night(*_one(cursor))


def get_night(connection: Connection, run_id: str) -> Night:
    """The night of that Airflow run.

    Raises:
        LookupError: plan has not written it.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select {_NIGHT} from night where run_id = %s", (run_id,))  # noqa: S608
        return Night(*_one(cursor))


def nights_of_backfill(connection: Connection, run_id: str) -> list[Night]:
    """The nights of a backfill, by their as-of times.

    Args:
        connection: an open connection.
        run_id: of the backfill's Airflow run.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {_NIGHT} from night where backfill = %s order by as_of",  # noqa: S608
            (run_id,),
        )
        return [Night(*row) for row in cursor]


def _one(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None:
        raise LookupError("plan has not written this night")
    return row


def delete_empty_night(connection: Connection, night: Night) -> bool:
    """Delete a night without tenants in the ledger; returns whether it did. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from night where night_id = %(night)s and not exists "
            "(select from ledger where ledger.night_id = night.night_id)",
            {"night": night.night_id},
        )
        return bool(cursor.rowcount)


def write_left_out(connection: Connection, night: Night) -> None:
    """Record how many of the fleet's tenants a night of named tenants leaves out.

    The number is in the night's summary from the plan on, so that nobody mistakes such a night for
    the fleet's, even while it runs. Tenants that are off are in no night and do not count.

    Args:
        connection: an open connection; the caller commits.
        night: a night with a plan.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update night set summary = jsonb_build_object('left_out', left_out) "
            "from (select count(*) as left_out from roster where mode <> 'off' and not exists "
            "(select from ledger where night_id = %(night)s "
            "and ledger.tenant_id = roster.tenant_id)) as counted "
            "where night_id = %(night)s and left_out > 0",
            {"night": night.night_id},
        )


def write_late_feeds(connection: Connection, night: Night, late: Mapping[str, str]) -> None:
    """Record the feeds that a night went without; the caller commits.

    Args:
        connection: an open connection.
        night: a night with a plan.
        late: feed -> why it is late, in words.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update night set summary = coalesce(summary, '{}') || %s::jsonb where night_id = %s",
            (json.dumps({"late_feeds": dict(late)}), night.night_id),
        )


def late_feeds_of(connection: Connection, night: Night) -> dict[str, str]:
    """Feed -> why it was late, for the feeds that a night went without."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(nullif(summary -> 'late_feeds', 'null'), '{}') from night "
            "where night_id = %s",
            (night.night_id,),
        )
        [(late,)] = cursor.fetchall()
    return dict(late)
