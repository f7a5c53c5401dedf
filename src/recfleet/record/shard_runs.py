"""Shard runs: the cost of each attempt at a shard's stage, as a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extras import Json

from recfleet.database import Connection


@dataclass(frozen=True)
class ShardRun:
    """One attempt at a shard's stage."""

    night_id: int
    stage: str
    shard: int
    attempt: int
    """1 for the first try of the task, 2 for the second, …"""


@dataclass(frozen=True)
class ShardCost:
    """What an attempt cost, and how many tenants it did."""

    tenants: int
    failed: int
    import_seconds: Mapping[str, float]
    """Library -> seconds that its import took."""
    peak_mb: float
    """Peak memory use, in megabytes."""
    overhead_seconds: Mapping[str, float] | None = None
    """Part -> seconds that belong to no tenant; None: keep the value on record."""


def was_shard_begun(connection: Connection, night_id: int, stage: str, shard: int) -> bool:
    """Whether there was an attempt at a shard's stage before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from shard_run "
            "where night_id = %s and shard = %s and stage = %s)",
            (night_id, shard, stage),
        )
        [(begun,)] = cursor.fetchall()
    return bool(begun)


def begin_shard_run(connection: Connection, run: ShardRun) -> None:
    """Record that an attempt begins now; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into shard_run (night_id, stage, shard, attempt, started_at) "
            "values (%s, %s, %s, %s, clock_timestamp()) "
            "on conflict (night_id, stage, shard, attempt) "
            "do update set started_at = excluded.started_at, finished_at = null",
            (run.night_id, run.stage, run.shard, run.attempt),
        )


def end_shard_run(
    connection: Connection, run: ShardRun, cost: ShardCost, *, began: datetime | None = None
) -> None:
    """Record that an attempt ends now, and what it cost; the caller commits.

    Args:
        connection: an open connection.
        run: the attempt.
        cost: its cost.
        began: when it began, if that was before ``begin_shard_run``.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update shard_run set finished_at = clock_timestamp(), tenants = %s, failed = %s, "
            "import_seconds = %s, peak_mb = %s, "
            "overhead_seconds = coalesce(%s, overhead_seconds), "
            "started_at = least(started_at, %s) "
            "where night_id = %s and stage = %s and shard = %s and attempt = %s",
            (
                cost.tenants,
                cost.failed,
                Json(dict(cost.import_seconds)),
                cost.peak_mb,
                None if cost.overhead_seconds is None else Json(dict(cost.overhead_seconds)),
                began,
                run.night_id,
                run.stage,
                run.shard,
                run.attempt,
            ),
        )
