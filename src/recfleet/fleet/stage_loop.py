"""One loop that runs any stage over a shard.

It catches a tenant's failure and writes it down, skips what the ledger says is done, times it, and
lets only trouble with the infrastructure out, so that Airflow retries the shard and the shard goes
on where it stopped.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg2
import psycopg2.extras
import structlog

from recfleet.database import connect, transaction
from recfleet.errors import InfrastructureError, TenantError
from recfleet.fleet import ledger
from recfleet.fleet.ledger import Night, State, Step, TenantNight
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.settings import Settings, settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

log = structlog.get_logger(__name__)

Prepared = TypeVar("Prepared")

_OUT_OF_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


@dataclass
class Desk:
    """What a stage works with: the night, the database, the settings, and what imports cost."""

    night: Night
    connection: Connection
    settings: Settings
    retried: bool
    """Whether this shard's stage was begun before and did not end."""
    import_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(Generic[Prepared]):
    """One of the four steps of a tenant's night."""

    name: str
    takes: State
    """The state of the tenants that it works on."""
    prepare: Callable[[Desk, list[TenantNight]], Prepared]
    """Done once for the shard: heavy imports, and what is cheaper done for all together."""
    work: Callable[[Desk, TenantNight, Prepared, Stopwatch], Step]
    """Done for each tenant; what it writes to the database is committed with its step."""


@dataclass(frozen=True)
class ShardSummary:
    """How a shard's stage ended."""

    tenants: int
    failed: int


def run_stage(
    stage: Stage[Any],
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
) -> ShardSummary:
    """Run a stage over a shard; safe to run twice, to kill, and to run again.

    Args:
        stage: what to do.
        run_id: the night's Airflow run.
        shard: its number.
        attempt: 1 for the first try of the task, 2 for the second, …
        on_start: told how many tenants there are to do, before the first.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: a service is away or a disk is
            full; what is done is done, and another attempt goes on from there.
    """
    connection = connect(purpose=f"recfleet {stage.name} shard {shard}")
    try:
        night = ledger.get_night(connection, run_id)
        desk = Desk(night, connection, settings(), retried=attempt > 1)
        with _alone(connection, night, shard, stage.name):
            rows = ledger.rows_in_state(connection, night, shard, stage.takes)
            on_start(len(rows))
            with _accounted(desk, stage.name, shard, attempt) as summaries:
                summaries.append(_run_rows(stage, desk, rows))
        return summaries[0]
    finally:
        connection.close()


def _run_rows(stage: Stage[Any], desk: Desk, rows: list[TenantNight]) -> ShardSummary:
    if not rows:
        return ShardSummary(0, 0)
    prepared = stage.prepare(desk, rows)
    desk.connection.commit()
    failed = 0
    for number, row in enumerate(rows, start=1):
        step = _run_one(stage, desk, row, prepared)
        failed += step.state == "failed"
        if number % 50 == 0 or number == len(rows):
            log.info(f"{stage.name}: {number} of {len(rows)} tenants", failed=failed)
    return ShardSummary(len(rows), failed)


def _run_one(stage: Stage[Any], desk: Desk, row: TenantNight, prepared: object) -> Step:
    watch = Stopwatch(stage.name)
    try:
        with transaction(desk.connection):
            with watch.part("total"):
                step = stage.work(desk, row, prepared, watch)
            _record(stage, desk, row, step, watch)
    except Exception as error:
        if _is_infrastructure(error):
            raise
        step = _failure(stage.name, row.tenant_id, error)
        with transaction(desk.connection):
            _record(stage, desk, row, step, watch)
    return step


def _record(stage: Stage[Any], desk: Desk, row: TenantNight, step: Step, watch: Stopwatch) -> None:
    timings = watch.timings()
    ledger.record(desk.connection, desk.night, row.tenant_id, step, timings, was=stage.takes)


def _is_infrastructure(error: Exception) -> bool:
    if isinstance(error, (InfrastructureError, psycopg2.OperationalError, psycopg2.InterfaceError)):
        return True
    return isinstance(error, OSError) and error.errno in _OUT_OF_ROOM


def _failure(stage: str, tenant_id: str, error: Exception) -> Step:
    if isinstance(error, TenantError):
        reason = f"{stage}: {error}"
        log.warning(f"{stage} failed", tenant_id=tenant_id, reason=reason)
    else:
        reason = f"{stage}: unexpected {type(error).__name__}: {error}"
        log.exception(f"{stage} failed unexpectedly", tenant_id=tenant_id)
    return Step("failed", {"outcome": "failed", "reason": reason})


@contextmanager
def _alone(connection: Connection, night: Night, shard: int, stage: str) -> Iterator[None]:
    """Wait for a ghost of this very task, which Airflow gave up and which may still be at work."""
    name = f"night {night.night_id} shard {shard} {stage}"
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
    connection.commit()
    yield  # The lock goes with the connection, however this process ends.


@contextmanager
def _accounted(desk: Desk, stage: str, shard: int, attempt: int) -> Iterator[list[ShardSummary]]:
    """Write what the shard's task costs as a process."""
    key = (desk.night.night_id, stage, shard, attempt)
    with transaction(desk.connection), desk.connection.cursor() as cursor:
        cursor.execute(
            "insert into shard_run (night_id, stage, shard, attempt, started_at) "
            "values (%s, %s, %s, %s, clock_timestamp()) "
            "on conflict (night_id, stage, shard, attempt) "
            "do update set started_at = excluded.started_at, finished_at = null",
            key,
        )
    summaries: list[ShardSummary] = []
    yield summaries
    summary = summaries[0]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with transaction(desk.connection), desk.connection.cursor() as cursor:
        cursor.execute(
            "update shard_run set finished_at = clock_timestamp(), tenants = %s, failed = %s, "
            "import_seconds = %s, peak_mb = %s "
            "where night_id = %s and stage = %s and shard = %s and attempt = %s",
            (
                summary.tenants,
                summary.failed,
                psycopg2.extras.Json(desk.import_seconds),
                peak_mb,
                *key,
            ),
        )
