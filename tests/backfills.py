"""Whole backfills without Airflow, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from recfleet.database import Connection
from recfleet.fleet.stage_loop import run_stage
from recfleet.operations.backfill_results import BackfillSummary
from recfleet.operations.backfill_tasks import (
    close_backfill,
    decide_backfill,
    plan_backfill,
    publish_backfill,
    replay_backfill,
)
from tests.nights import query


def run_backfill(
    run_id: str, tenants: list[str], first: date, last: date, **conf: Any
) -> BackfillSummary:
    """A backfill from plan to close, task after task, as the DAG does it."""
    asked: Mapping[str, Any] = {
        "tenants": tenants,
        "from": first.isoformat(),
        "to": last.isoformat(),
        **conf,
    }
    for shard in plan_backfill(run_id, asked, triggered_by="tester"):
        replay_backfill(run_id, shard, run_stage=run_stage)
    for shard in decide_backfill(run_id):
        publish_backfill(run_id, shard, run_stage=run_stage)
    return close_backfill(run_id)


def nights(connection: Connection, run_id: str, tenant_id: str) -> list[tuple[Any, ...]]:
    """A tenant's nights of a backfill: as-of, whether it was a trial, outcome, verdict."""
    return query(
        connection,
        "select night.as_of, is_trial, outcome, verdict from ledger join night using (night_id) "
        "where backfill = %s and tenant_id = %s order by night.as_of",
        run_id,
        tenant_id,
    )
