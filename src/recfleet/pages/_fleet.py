"""The Fleet page: last night, the tenants that need a person, the nights before."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.database import Connection, Row, read_row, read_rows
from recfleet.feedback import read_fleet_returns
from recfleet.feeds import feed_overview
from recfleet.operations import ATTENTION
from recfleet.pages._approvals import count_waiting
from recfleet.pages._charts import fleet_charts
from recfleet.pages._night import read_outcomes
from recfleet.pages._tenant_table import Wanted, read_table
from recfleet.pages._visit import Visiting

router = APIRouter()


@router.get("/fleet")
def fleet_page(visit: Visiting) -> HTMLResponse:
    """Last night, the tenants that need a person, all tenants."""
    wanted = Wanted.of(visit.request.query_params)
    tenants = read_table(visit.connection, wanted)
    over_time = _over_time(visit.connection)
    return visit.page(
        "fleet.html",
        wanted=wanted,
        tenants=tenants,
        night=_last_night(visit.connection),
        over_time=over_time,
        charts=fleet_charts(over_time),
        waiting=count_waiting(visit.connection),
        feeds=feed_overview(visit.connection),
        returns=read_fleet_returns(visit.connection),
        titles={attention.key: attention.title for attention in ATTENTION},
    )


def _last_night(connection: Connection) -> Row | None:
    """The newest night of the whole fleet; while it runs, with its outcomes so far.

    If there is none, the newest night of named tenants stands in. ``later`` has the newest night of
    named tenants after it.
    """
    night = read_row(
        connection,
        "select night_id, run_id, as_of, status, started_at, finished_at, summary, left_out, "
        "extract(epoch from coalesce(finished_at, now()) - started_at) as seconds "
        "from night_overview where kind = 'fleet' "
        "order by is_of_fleet desc, night_id desc limit 1",
    )
    if night is not None:
        night["outcomes"] = read_outcomes(connection, night["night_id"])
        night["later"] = _later(connection, night["night_id"])
    return night


def _later(connection: Connection, night_id: int) -> Row | None:
    """The newest night of named tenants after that night, with the number of its tenants."""
    return read_row(
        connection,
        "select night_id, as_of, status, left_out, (select count(*) from tenant_night "
        "where tenant_night.night_id = night_overview.night_id) as tenants "
        "from night_overview where kind = 'fleet' and night_id > %(night)s "
        "order by night_id desc limit 1",
        {"night": night_id},
    )


def _over_time(connection: Connection, nights: int = 60) -> list[Row]:
    """The sums of the last nights of the whole fleet, earliest first."""
    return read_rows(
        connection,
        "select * from (select night_id, as_of, summary -> 'outcomes' as outcomes, "
        "summary -> 'modes' as modes, summary -> 'skill' as skill "
        "from night_overview where is_of_fleet and status <> 'running' "
        "order by night_id desc limit %(nights)s) as newest order by night_id",
        {"nights": nights},
    )
