"""What the ledger and the live releases say, as rows for tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.database import Connection
from recfleet.errors import NotFoundError
from recfleet.record import NightKind, models_of

Row = dict[str, Any]


def trio(row: Row, metric: str, *, digits: int) -> str | None:
    """A metric of challenger, champion and popularity, side by side; None: none of them has it.

    Args:
        row: has ``<metric>_challenger`` and so on.
        metric: ``rmse`` or ``ndcg``.
        digits: after the point.
    """
    values = [row[f"{metric}_{name}"] for name in ("challenger", "champion", "popularity")]
    if all(value is None for value in values):
        return None
    return " / ".join("–" if value is None else f"{value:.{digits}f}" for value in values)


def list_nights(
    connection: Connection, limit: int = 30, kind: NightKind | None = None
) -> list[Row]:
    """The latest nights, latest first.

    Args:
        connection: an open connection.
        limit: how many at most.
        kind: only this kind; None: all except trials of backfills, which would crowd out the rest.
    """
    return _rows(
        connection,
        "select night_id, kind, as_of, status, started_at, finished_at, run_id, "
        "sentence as summary from night_overview "
        "where kind = %(kind)s or (%(kind)s is null and not is_trial) "
        "order by night_id desc limit %(limit)s",
        {"kind": kind, "limit": limit},
    )


def find_night(connection: Connection, night: str | None) -> Row:
    """A night by its number, its as-of date (the fleet's newest run of it) or its run id.

    Args:
        connection: an open connection.
        night: its number, date or run id; None: the fleet's newest.

    Raises:
        NotFoundError: there is no such night.
    """
    found = _rows(
        connection,
        "select night_id, run_id, as_of, status, started_at, finished_at, summary "
        "from night_overview "
        "where (%(night)s::text is null and kind = 'fleet') or night_id::text = %(night)s "
        "or run_id = %(night)s or to_char(as_of, 'YYYY-MM-DD') = %(night)s "
        "order by kind = 'fleet' desc, night_id desc limit 1",
        {"night": night},
    )
    if found:
        return found[0]
    if night is None:
        raise NotFoundError(
            "There has been no night yet; run one with `recfleet night run --wait`."
        )
    raise NotFoundError(
        f"There is no night {night!r}. Give its number, its as-of date or its run id; `recfleet "
        "night list` shows them."
    )


def night_sentence(connection: Connection, run_id: str) -> str | None:
    """Close's line about the night of that Airflow run; None: there is no line."""
    found = _rows(
        connection, "select sentence as said from night_overview where run_id = %s", (run_id,)
    )
    return found[0]["said"] if found else None


def night_tenants(connection: Connection, night_id: int) -> list[Row]:
    """Every tenant of a night with its outcome, its numbers and the reason, by tenant."""
    return _rows(
        connection,
        """
        select tenant_night.tenant_id as tenant, outcome, state, verdict, served_by,
               model_version as version, rmse_challenger, rmse_champion, rmse_popularity,
               rmse_previous, ndcg_challenger, ndcg_champion, ndcg_popularity, ndcg_previous, gain,
               previous_gain, holdout_customers, ndcg_lists, list_gain,
               exists (select from release_overview as former
                        where not former.is_trial and former.tenant_id = tenant_night.tenant_id
                          and former.night_id < tenant_night.night_id) as served_before,
               reason, timings
          from tenant_night left join release_overview using (release_id)
         where tenant_night.night_id = %s order by tenant_night.tenant_id
        """,
        (night_id,),
    )


def night_progress(connection: Connection, run_id: str) -> dict[str, int]:
    """State -> how many tenants of the night of that Airflow run are in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select state, count(*) from tenant_night where run_id = %s group by state",
            (run_id,),
        )
        return dict(cursor.fetchall())


def finished_night(
    connection: Connection, as_of: datetime, tenant_ids: Sequence[str]
) -> int | None:
    """The number of the first successful night as of that time with all these tenants."""
    found = _rows(
        connection,
        "select night_id from tenant_night "
        "where as_of = %s and status = 'done' and kind = 'fleet' and tenant_id = any(%s) "
        "group by night_id having count(*) = %s order by night_id limit 1",
        (as_of, list(tenant_ids), len(set(tenant_ids))),
    )
    return found[0]["night_id"] if found else None


def fleet_tenants(connection: Connection) -> list[Row]:
    """Every tenant with its mode, its last outcome and what is live, by tenant."""
    return _rows(
        connection,
        """
        select roster.tenant_id as tenant, roster.name, mode, last.outcome, last.as_of as night,
               live.served_by, live.model_version as version, live.customers,
               live.as_of as live_as_of, last.reason
          from roster
          left join live using (tenant_id)
          left join lateral (
            select outcome, reason, as_of from counted_night
             where counted_night.tenant_id = roster.tenant_id
             order by as_of desc, night_id desc limit 1
          ) as last on true
         order by roster.tenant_id
        """,
        (),
    )


def tenant_story(connection: Connection, tenant_id: str) -> dict[str, list[Row]]:
    """One tenant's data, champion, nights, promotions and failed expectations."""
    from recfleet.interactions import count_all

    return {
        "data": [count_all(connection, tenant_id)],
        "models": models_of(connection, tenant_id),
        "live": _rows(
            connection,
            "select release_id, served_by, model_version, as_of, customers, from_model, offers, "
            "switched_at, fingerprint, run_id from live where tenant_id = %s",
            (tenant_id,),
        ),
        "nights": _rows(
            connection,
            "select night_id as night, as_of, outcome, rmse_challenger, rmse_champion, "
            "rmse_popularity, rmse_previous, reason from counted_night "
            "where tenant_id = %s order by night_id desc limit 30",
            (tenant_id,),
        ),
        "promotions": _rows(
            connection,
            "select happened_at, kind, from_version, to_version, actor, reason from promotion "
            "where tenant_id = %s order by promotion_id desc limit 30",
            (tenant_id,),
        ),
        "quality": _rows(
            connection,
            "select night_id as night, expectation, severity, observed, expected, usual, sample "
            "from quality_finding where tenant_id = %(tenant)s and not success and night_id = "
            "(select max(night_id) from quality_finding join night_overview using (night_id) "
            "where tenant_id = %(tenant)s and not is_trial) "
            "order by severity, expectation",
            {"tenant": tenant_id},
        ),
    }


def _rows(connection: Connection, query: str, parameters: Sequence[Any] | Row) -> list[Row]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, parameters)
        rows = [dict(row) for row in cursor]
    connection.commit()
    return rows
