"""The Nights page: a list of nights."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.database import Connection, Row, read_rows
from recfleet.pages._visit import Visiting
from recfleet.web import Number

_ROWS = 50

router = APIRouter()


@router.get("/nights")
def nights_page(visit: Visiting, before: Number | None = None) -> HTMLResponse:
    """The newest nights, or those before a number."""
    found = _read_recent(visit.connection, before)
    return visit.page("nights.html", nights=found, before=before, page_rows=_ROWS)


# The nights of a backfill are opened and closed together, so each one's time is that of its shards.
TIMED = """
select night.*, began, extract(epoch from ended - began) as seconds
  from night_overview as night cross join lateral (
    select coalesce(min(shard_task.started_at), night.started_at) as began,
           coalesce(max(shard_task.finished_at), night.finished_at) as ended
      from shard_task where kind = 'backfill' and shard_task.night_id = night.night_id) as own
"""
"""SQL: nights, with the beginning of each and the seconds it took."""


def _read_recent(connection: Connection, before: int | None = None) -> list[Row]:
    """The newest nights of every kind, or those before a night's number, newest first."""
    return read_rows(
        connection,
        "select night_id, run_id, kind, is_trial, as_of, status, began, "  # noqa: S608
        f"finished_at, sentence, seconds from ({TIMED}) as night "
        "where %(before)s::bigint is null or night_id < %(before)s "
        "order by night_id desc limit %(rows)s",
        {"before": before, "rows": _ROWS},
    )
