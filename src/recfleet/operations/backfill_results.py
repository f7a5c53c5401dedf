"""A backfill's progress and results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.database import Connection, transaction
from recfleet.fleet import failed_share
from recfleet.operations.backfill_request import BackfillRequest
from recfleet.record import FINAL_STATES
from recfleet.settings import night_settings


@dataclass(frozen=True)
class BackfillSummary:
    """A backfill in numbers."""

    nights: int
    outcomes: dict[str, int]
    """Outcome -> tenants' nights."""
    tolerated_failures: float

    @property
    def failed_share(self) -> float:
        """Share of failures among the tenants' nights with something to do."""
        return failed_share(self.outcomes)

    @property
    def failed(self) -> bool:
        """Whether more failed than is tolerated."""
        return self.failed_share > self.tolerated_failures

    def sentence(self) -> str:
        """The backfill in one line, for people."""
        if not self.nights:
            return "nothing to do: all of these nights have run from the same data"
        noun = "night" if self.nights == 1 else "nights"
        parts = [f"{count} {outcome}" for outcome, count in self.outcomes.items()]
        return f"{self.nights} {noun}, counted per tenant: {', '.join(parts)}"


def sum_up(nights: Sequence[Mapping[str, int]]) -> BackfillSummary:
    """A backfill in numbers, from the outcomes of each of its nights."""
    outcomes: Counter[str] = Counter()
    for night in nights:
        outcomes.update(night)
    tolerated = night_settings().tolerated_failures
    return BackfillSummary(len(nights), dict(outcomes.most_common()), tolerated)


def backfill_sentence(connection: Connection, run_id: str) -> str | None:
    """A backfill that has ended, in one line; None: none of its nights has ended. Commits."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select summary -> 'outcomes' from night_overview "
            "where backfill = %s and finished_at is not null",
            (run_id,),
        )
        nights = [outcomes for (outcomes,) in cursor]
    return sum_up(nights).sentence() if nights else None


@dataclass(frozen=True)
class BackfillProgress:
    """How far a backfill is."""

    nights: int
    nights_done: int
    """Nights in which every tenant is done."""
    states: dict[str, int]
    """State -> tenants' nights."""


def backfill_progress(connection: Connection, run_id: str) -> BackfillProgress:
    """How far a backfill is; before its plan is written, it has no nights.

    Args:
        connection: an open connection; it commits.
        run_id: of the Airflow run.
    """
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select state, count(*) from tenant_night where backfill = %s group by state",
            (run_id,),
        )
        states = dict(cursor.fetchall())
        cursor.execute(
            "select count(*), count(*) filter (where not exists (select from tenant_night "
            "where tenant_night.night_id = night.night_id and state <> all(%s))) "
            "from night_overview as night where backfill = %s",
            (list(FINAL_STATES), run_id),
        )
        [(nights, done)] = cursor.fetchall()
    return BackfillProgress(nights, done, states)


def backfilled_nights(connection: Connection, request: BackfillRequest) -> list[dict[str, Any]]:
    """What the latest backfill found for each tenant and date of a request, by tenant and date.

    Args:
        connection: an open connection; it commits.
        request: names tenants and dates; those without a backfill are left out.
    """
    with transaction(connection), connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            """
            select distinct on (tenant_id, tenant_night.as_of)
                   tenant_id as tenant, tenant_night.as_of, night_id as night, verdict, outcome,
                   served_by, model_version as version,
                   rmse_challenger, rmse_champion, rmse_popularity, gain, reason
              from tenant_night
              left join release_overview using (release_id, night_id, tenant_id)
             where tenant_night.kind = 'backfill' and tenant_id = any(%s)
               and tenant_night.as_of = any(%s)
               and not (tenant_night.is_trial and outcome is not distinct from 'unchanged')
             order by tenant_id, tenant_night.as_of, night_id desc
            """,
            (list(request.tenants), request.as_of_times()),
        )
        return [dict(row) for row in cursor]
