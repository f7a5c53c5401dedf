"""The Approvals page: waiting requests with their numbers, and past answers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.database import Connection, Row, read_rows
from recfleet.pages._visit import Visiting

router = APIRouter()

_ROWS = 200
_DECIDED = 50

_COLUMNS = """
select approval_request.*, roster.name, tenant_night.reason,
       contenders, gain, gain_low, holdout_customers
  from approval_request
  join roster using (tenant_id)
  left join tenant_night using (night_id, tenant_id)
"""


@router.get("/approvals")
def approvals_page(visit: Visiting) -> HTMLResponse:
    """Waiting requests, and past answers."""
    return visit.page(
        "approvals.html",
        waiting=_read_waiting(visit.connection),
        count=count_waiting(visit.connection),
        decided=_read_decided(visit.connection),
    )


def _read_waiting(connection: Connection) -> list[Row]:
    """Waiting requests, the next to expire first."""
    return read_rows(
        connection,
        f"{_COLUMNS} where is_open order by expires_at, tenant_id limit %(rows)s",
        {"rows": _ROWS},
    )


def count_waiting(connection: Connection) -> int:
    """How many requests wait."""
    [row] = read_rows(
        connection,
        "select count(*) as waiting from approval_request where is_open",
    )
    return int(row["waiting"])


def _read_decided(connection: Connection) -> list[Row]:
    """The latest answers, by whom and why."""
    return read_rows(
        connection,
        f"{_COLUMNS} where approval_request.status <> 'waiting' "
        "order by decided_at desc, approval_id desc limit %(rows)s",
        {"rows": _DECIDED},
    )
