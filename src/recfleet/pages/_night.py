"""The Night page: shards and stages with their timing, slow and failed tenants, costs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.database import Connection, Row, read_row, read_rows
from recfleet.errors import NotFoundError
from recfleet.pages._nights import TIMED
from recfleet.pages._tenant_table import page_number
from recfleet.pages._visit import Visiting
from recfleet.quality import has_docs
from recfleet.web import Number

_TENANT_ROWS = 50
_UNDER_WAY = "under way"
"""Stands for the outcome of tenants that have none yet."""
_SLOWEST = 20
_FAILED = 200
_STAGES = ("validate", "train_and_judge", "publish")

router = APIRouter()


@router.get("/nights/{night_id}")
def night_page(visit: Visiting, night_id: Number) -> HTMLResponse:
    """One night."""
    connection, query = visit.connection, visit.request.query_params
    outcomes = read_outcomes(connection, night_id)
    # An unknown outcome is ignored, as on the Fleet page.
    wanted = query.get("outcome", "")
    wanted = wanted if wanted in outcomes else ""
    found = outcomes[wanted] if wanted else sum(outcomes.values())
    pages = max(1, -(-found // _TENANT_ROWS))
    page = min(page_number(query.get("page", "")), pages)
    return visit.page(
        "night.html",
        night=_read_night(connection, night_id),
        outcomes=outcomes,
        outcome=wanted,
        tenants=_read_tenants(connection, night_id, wanted, page),
        found=found,
        page=page,
        pages=pages,
        shards=_read_shards(connection, night_id),
        slowest=_read_slowest(connection, night_id),
        failed=_read_failed(connection, night_id),
        costs=_read_costs(connection, night_id),
    )


def _read_night(connection: Connection, night_id: int) -> Row:
    """One night.

    Raises:
        NotFoundError: no night has that number.
    """
    found = read_row(
        connection,
        f"select * from ({TIMED}) as night where night_id = %(night)s",  # noqa: S608
        {"night": night_id},
    )
    if found is None:
        raise NotFoundError(f"There is no night {night_id}.")
    return {**found, "has_docs": has_docs(connection, night_id)}


def read_outcomes(connection: Connection, night_id: int) -> dict[str, int]:
    """Outcome -> tenants, most frequent first; while the night runs, also those under way."""
    found = read_rows(
        connection,
        "select coalesce(outcome, %(under_way)s) as outcome, count(*) as tenants from tenant_night "
        "where night_id = %(night)s group by 1 order by 2 desc, 1",
        {"night": night_id, "under_way": _UNDER_WAY},
    )
    return {row["outcome"]: row["tenants"] for row in found}


def _read_tenants(connection: Connection, night_id: int, outcome: str, page: int) -> list[Row]:
    """The tenants of a night, by their ids.

    Args:
        connection: an open connection.
        night_id: the night's number.
        outcome: only tenants with it; empty: all.
        page: from 1; a page has ``_TENANT_ROWS`` tenants.
    """
    return read_rows(
        connection,
        "select tenant_id, name, shard, outcome, verdict, held_verdict, reason "
        "from tenant_night left join roster using (tenant_id) where night_id = %(night)s "
        "and (%(outcome)s = '' or coalesce(outcome, %(under_way)s) = %(outcome)s) "
        "order by tenant_id limit %(rows)s offset %(before)s",
        {
            "night": night_id,
            "outcome": outcome,
            "under_way": _UNDER_WAY,
            "rows": _TENANT_ROWS,
            "before": (page - 1) * _TENANT_ROWS,
        },
    )


def _read_shards(connection: Connection, night_id: int) -> list[Row]:
    """Every attempt of every shard's tasks, with its place in the night's time.

    ``start`` and ``end`` are shares of the time from the first task's start to the last one's end.
    """
    return read_rows(
        connection,
        """
        select stage, shard, attempt, started_at, finished_at, tenants, failed, import_seconds,
               overhead_seconds, peak_mb, seconds,
               dense_rank() over (partition by stage order by shard) - 1 as map_index,
               extract(epoch from started_at - min(started_at) over ())::float
                 / greatest(0.001, extract(epoch from max(coalesce(finished_at, now())) over ()
                                            - min(started_at) over ())::float) as start,
               extract(epoch from coalesce(finished_at, now()) - min(started_at) over ())::float
                 / greatest(0.001, extract(epoch from max(coalesce(finished_at, now())) over ()
                                            - min(started_at) over ())::float) as end
          from shard_task where night_id = %(night)s
         order by array_position(%(stages)s, stage), shard, attempt
        """,
        {"night": night_id, "stages": list(_STAGES)},
    )


def _read_slowest(connection: Connection, night_id: int) -> list[Row]:
    """The slowest tenants, by the sum of their own parts, slowest first.

    A stage's total includes work for many tenants at once, such as imports. It counts only if the
    tenant's process was ended before it reported the parts.
    """
    return read_rows(
        connection,
        """
        select tenant_id, name, shard, outcome, milliseconds, validating, training, publishing
          from (
            select tenant_id, shard, outcome, timed.*,
                   validating + training + publishing as milliseconds
              from tenant_night cross join lateral (
                select coalesce(sum(value::float) filter (where starts_with(key, 'validate.')
                                                            and key <> 'validate.total'),
                                (timings ->> 'validate.total')::float, 0) as validating,
                       coalesce(sum(value::float) filter (where starts_with(key, 'train.')
                                                             or starts_with(key, 'judge.')),
                                (timings ->> 'train_and_judge.total')::float, 0) as training,
                       coalesce(sum(value::float) filter (where starts_with(key, 'publish.')
                                                            and key <> 'publish.total'),
                                (timings ->> 'publish.total')::float, 0) as publishing
                  from jsonb_each_text(timings)) as timed
             where night_id = %(night)s
             order by milliseconds desc, tenant_id limit %(rows)s) as slowest
          left join roster using (tenant_id)
         where milliseconds >= 1
         order by milliseconds desc, tenant_id
        """,
        {"night": night_id, "rows": _SLOWEST},
    )


def _read_failed(connection: Connection, night_id: int) -> list[Row]:
    """The failed and quarantined tenants, with their reasons."""
    return read_rows(
        connection,
        "select tenant_id, name, shard, outcome, reason from tenant_night "
        "left join roster using (tenant_id) where night_id = %(night)s "
        "and outcome in ('failed', 'quarantined') "
        "order by outcome, tenant_id limit %(rows)s",
        {"night": night_id, "rows": _FAILED},
    )


def _read_costs(connection: Connection, night_id: int) -> list[Row]:
    """What each part of the work cost: the mean per tenant and the sum, most expensive first.

    The stages' totals include the parts, so they are left out.
    """
    return read_rows(
        connection,
        """
        select key as part, count(*) as tenants, avg(value::float) as mean_ms,
               sum(value::float) / 1000 as seconds
          from tenant_night, jsonb_each_text(timings)
         where night_id = %(night)s and key not like '%%.total'
         group by key order by seconds desc, key
        """,
        {"night": night_id},
    )
