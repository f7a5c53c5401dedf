"""Small tenants with tastes, and whole nights without Airflow, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recfleet.database import Connection, copy_rows
from recfleet.fleet.close import NightSummary, close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.tenants import add_tenants

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""Monday of the first week."""
WEEK = timedelta(weeks=1)


def shop(
    connection: Connection,
    tenant_id: str,
    *,
    customers: int = 120,
    products: int = 160,
    weeks: range = range(12),
    tastes: int = 4,
    seed: int = 0,
    shuffled: bool = False,
) -> None:
    """Write a tenant whose customers each buy mostly from one of a few ranges of products.

    Args:
        connection: an open connection, on which it commits.
        tenant_id: the tenant.
        customers: how many; each buys two products a week.
        products: how many.
        weeks: weeks of purchases, from START.
        tastes: number of ranges; each customer keeps to one.
        seed: seed of the draws.
        shuffled: whether the ranges are made of other products than by default; a model of the one
            kind of weeks knows nothing about the other.
    """
    add_tenants(connection, {tenant_id: tenant_id.title()})
    random = np.random.default_rng([seed, 7])
    rows = []
    for week in weeks:
        draws = np.random.default_rng([seed, week])
        for customer in range(customers):
            taste = customer % tastes
            for line in range(2):
                place = _draw(draws, products // tastes)
                product = (
                    taste * (products // tastes) + place if shuffled else taste + tastes * place
                )
                if draws.random() < 0.1:
                    product = int(draws.integers(products))
                moment = START + week * WEEK + timedelta(minutes=customer * 3 + line)
                rows.append(
                    (
                        tenant_id,
                        moment.isoformat(),
                        int(random.integers(2**62)),
                        f"c{customer:04}",
                        f"p{product:03}",
                        1,
                        9.5,
                    )
                )
    columns = [
        "tenant_id",
        "occurred_at",
        "line_hash",
        "customer_id",
        "product_id",
        "quantity",
        "amount",
    ]
    copy_rows(connection, "interaction", columns, rows)
    connection.commit()


def _draw(draws: np.random.Generator, choices: int) -> int:
    weights = 1.0 / np.sqrt(np.arange(1, choices + 1))
    return int(draws.choice(choices, p=weights / weights.sum()))


def run_night(
    run_id: str,
    as_of: datetime,
    conf: Mapping[str, Any] | None = None,
    *,
    attempt: int = 1,
    late_feeds: Mapping[str, str] | None = None,
) -> NightSummary:
    """A night from plan to close, stage after stage, as the DAG does it."""
    shards = plan_night(run_id, None, as_of, conf or {}, late_feeds)
    for stage in ("validate", "train_and_judge"):
        for shard in shards:
            run_stage(STAGES[stage], run_id, shard, attempt=attempt)
    decide_night(run_id)
    for shard in shards:
        run_stage(STAGES["publish"], run_id, shard, attempt=attempt)
    return close_night(run_id)


def outcomes(connection: Connection, run_id: str) -> dict[str, str]:
    """Tenant -> outcome of a night."""
    text = "select tenant_id, outcome from ledger join night using (night_id) where run_id = %s"
    return dict(query(connection, text, run_id))


def query(connection: Connection, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    """All rows of a query, over what is committed now."""
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        return cursor.fetchall()
