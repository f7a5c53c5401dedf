"""One loop that runs any stage over a shard.

It records a tenant's failure, skips what is done according to the ledger, and times the work. Only
trouble with the infrastructure leaves the loop: then Airflow retries the shard, which continues
where it stopped.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import psycopg2
import structlog

from recfleet.database import Connection, connect, transaction
from recfleet.errors import InfrastructureError, TenantError
from recfleet.fleet.accounting import Accounts, accounted
from recfleet.fleet.stopwatch import Stopwatch, shared_part
from recfleet.record import (
    Night,
    ShardRun,
    State,
    Step,
    TenantNight,
    get_night,
    record_steps,
    rows_in_state,
    was_shard_begun,
)
from recfleet.settings import NightSettings, night_settings

log = structlog.get_logger(__name__)

Prepared = TypeVar("Prepared")
Made = TypeVar("Made")

_OUT_OF_ROOM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
)
_SERVERS_OWN = ("25", "XX")
"""Classes of SQLSTATE that no tenant causes, although psycopg2 does not count them as operational:
a transaction that is read-only, void or timed out; an error within Postgres."""
_BATCH_MILLISECONDS = 4_000.0
"""A batch ends after this much estimated work, which a killed process may have to repeat."""


@dataclass(frozen=True)
class Desk:
    """What a stage works with: the night, the database, and what it costs."""

    night: Night
    connection: Connection
    retried: bool
    """Whether some of this work may have been done before."""
    accounts: Accounts
    """Adds up the cost of the task: imports, preparing, and writing the ledger."""


@dataclass(frozen=True)
class Work(Generic[Made]):
    """A stage's work for one tenant, before it is finished."""

    row: TenantNight
    made: Made
    watch: Stopwatch


@dataclass(frozen=True)
class Stage(Generic[Prepared, Made]):
    """One of the steps of a tenant's night.

    Each tenant's work is done by itself. ``finish`` does what is cheaper for a batch of tenants,
    such as writing to a database, in the transaction that records their steps. If it fails for the
    batch, it is repeated for each tenant alone.
    """

    name: str
    takes: State
    """The stage works on tenants in this state."""
    prepare: Callable[[Desk, list[TenantNight]], Prepared]
    """Runs once for the shard: heavy imports, and whatever is cheaper for all tenants at once."""
    work: Callable[[Desk, TenantNight, Prepared, Stopwatch], Step | Made]
    """Runs for each tenant: returns its step, or the input from which ``finish`` makes the step.
    Only a stage without batches may write to the database here; the step's commit includes it."""
    finish: Callable[[Desk, Prepared, list[Work[Made]]], list[Step]] | None = None
    """Runs for a batch of tenants: returns their steps, in the same order."""
    batch_size: int = 1
    """Maximum of tenants in a batch, which is recorded in one transaction."""


@dataclass(frozen=True)
class ShardSummary:
    """How a shard's stage ended."""

    tenants: int
    failed: int


class Onlooker:
    """Looks on while the loop works through a shard; this base class does nothing."""

    only: Collection[str] | None = None
    """The tenants to work on; None: all that the ledger has for the stage."""

    def begins(self, rows: list[TenantNight]) -> None:
        """The stage prepares for these tenants now."""

    def prepared(self, desk: Desk) -> None:
        """The stage has prepared."""

    def turn(self, row: TenantNight) -> None:
        """It is this tenant's turn."""

    def ends(self, works: list[Work[Any]]) -> None:
        """These tenants' work is done; their batch is being finished now."""

    def did(self, steps: list[Step]) -> None:
        """These steps are committed."""


def run_stage(
    stage: Stage[Any, Any],
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
    onlooker: Onlooker | None = None,
) -> ShardSummary:
    """Run a stage over a shard in this process; safe to run twice, to kill, and to run again.

    Args:
        stage: what to do.
        run_id: the night's Airflow run.
        shard: its number.
        attempt: 1 for the first try of the task, 2 for the second, …
        on_start: called before the first tenant with the number of tenants to do.
        onlooker: called at every step, see ``fleet.supervisor``.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: a service is away or a disk is
            full; what is done stays done, and another attempt continues from there.
    """
    onlooker = onlooker or Onlooker()
    connection = connect(purpose=f"recfleet {stage.name} shard {shard}")
    try:
        night = get_night(connection, run_id)
        with alone(connection, night, shard, stage.name):
            begun = was_shard_begun(connection, night.night_id, stage.name, shard)
            rows = rows_in_state(connection, night, shard, stage.takes)
            if onlooker.only is not None:
                rows = [row for row in rows if row.tenant_id in onlooker.only]
            on_start(len(rows))
            run = ShardRun(night.night_id, stage.name, shard, attempt)
            with accounted(connection, run) as accounts:
                desk = Desk(night, connection, retried=begun, accounts=accounts)
                _run_rows(stage, desk, rows, onlooker)
        return ShardSummary(accounts.tenants, accounts.failed)
    finally:
        connection.close()


def _run_rows(
    stage: Stage[Any, Any], desk: Desk, rows: list[TenantNight], onlooker: Onlooker
) -> None:
    if not rows:
        return
    onlooker.begins(rows)
    with desk.accounts.overhead("prepare"):
        prepared = stage.prepare(desk, rows)
        desk.connection.commit()
    onlooker.prepared(desk)
    done = 0
    for batch in _batches(rows, stage.batch_size):
        steps = _run_batch(stage, desk, batch, prepared, onlooker)
        onlooker.did(steps)
        desk.accounts.did(steps)
        if done // 100 < (done := done + len(batch)) // 100 or done == len(rows):
            log.info(f"{stage.name}: {done} of {len(rows)} tenants", failed=desk.accounts.failed)


def _batches(rows: list[TenantNight], size: int) -> Iterator[list[TenantNight]]:
    """Batches of tenants in order, at most ``size`` each; fewer if they have much to do."""
    batch: list[TenantNight] = []
    cost = 0.0
    for row in rows:
        if batch and (len(batch) >= size or cost + row.estimated_ms > _BATCH_MILLISECONDS):
            yield batch
            batch, cost = [], 0.0
        batch.append(row)
        cost += row.estimated_ms
    if batch:
        yield batch


def _run_batch(
    stage: Stage[Any, Any],
    desk: Desk,
    batch: list[TenantNight],
    prepared: object,
    onlooker: Onlooker,
) -> list[Step]:
    works: list[Work[Any]] = []
    for row in batch:
        onlooker.turn(row)
        try:
            works.append(_work(stage, desk, row, prepared))
        except Exception as error:
            if _is_infrastructure(error) and works:
                onlooker.ends(works)
                _end(stage, desk, works, prepared)  # Finished work is not done again.
            raise
    onlooker.ends(works)
    return _end(stage, desk, works, prepared)


def _work(
    stage: Stage[Any, Any], desk: Desk, row: TenantNight, prepared: object
) -> Work[Step | Any]:
    """Do one tenant's work; a failure becomes the result."""
    watch = Stopwatch()
    try:
        if row.policy_error:
            raise TenantError(row.policy_error)
        with watch.part(f"{stage.name}.total"):
            return Work(row, stage.work(desk, row, prepared, watch), watch)
    except Exception as error:
        if not desk.connection.closed:
            desk.connection.rollback()
        if _is_infrastructure(error):
            raise
        return Work(row, _failure(stage.name, row.tenant_id, error), watch)


def _end(
    stage: Stage[Any, Any], desk: Desk, works: list[Work[Any]], prepared: object
) -> list[Step]:
    """Finish a batch's work and record it; if that fails, each tenant's alone."""
    try:
        return _end_batch(stage, desk, works, prepared)
    except Exception as error:
        if _is_infrastructure(error):
            raise
        if len(works) > 1:
            log.warning(f"{stage.name}: a batch failed; its tenants are tried one by one")
            again = replace(desk, retried=True)  # Some may be done already.
            return [step for work in works for step in _end(stage, again, [work], prepared)]
        [work] = works
        step = _failure(stage.name, work.row.tenant_id, error)
        return _end_batch(stage, desk, [replace(work, made=step)], prepared)


def _end_batch(
    stage: Stage[Any, Any], desk: Desk, works: list[Work[Any]], prepared: object
) -> list[Step]:
    unfinished = [work for work in works if not isinstance(work.made, Step)]
    with transaction(desk.connection):
        finished: list[Step] = []
        if unfinished:
            assert stage.finish is not None  # noqa: S101 - its work would have made steps
            with shared_part([work.watch for work in unfinished], f"{stage.name}.total"):
                finished = stage.finish(desk, prepared, unfinished)
        made = dict(zip((work.row.tenant_id for work in unfinished), finished, strict=True))
        steps = [made.get(work.row.tenant_id, work.made) for work in works]
        with desk.accounts.overhead("ledger"):
            record_steps(
                desk.connection,
                desk.night,
                [
                    (work.row.tenant_id, step, work.watch.timings())
                    for work, step in zip(works, steps, strict=True)
                ],
                was=stage.takes,
            )
    return steps


def _is_infrastructure(error: Exception) -> bool:
    if isinstance(error, (InfrastructureError, psycopg2.OperationalError, psycopg2.InterfaceError)):
        return True
    if isinstance(error, psycopg2.Error):
        return (error.pgcode or "").startswith(_SERVERS_OWN)
    return isinstance(error, OSError) and error.errno in _OUT_OF_ROOM


def _failure(stage: str, tenant_id: str, error: Exception) -> Step:
    if isinstance(error, MemoryError):
        # Free the memory that the failed work holds, because recording the failure needs some.
        traceback.clear_frames(error.__traceback__)
        error = TenantError(too_much_memory(night_settings()))
    if isinstance(error, TenantError):
        reason = f"{stage}: {error}"
        log.warning(f"{stage} failed", tenant_id=tenant_id, reason=reason)
    else:
        reason = f"{stage}: unexpected {type(error).__name__}: {error}"
        log.exception(f"{stage} failed unexpectedly", tenant_id=tenant_id)
    return Step("failed", {"outcome": "failed", "reason": reason})


def too_much_memory(limits: NightSettings) -> str:
    """The reason of a tenant that failed because it asked for more memory than one may have."""
    return (
        f"it needed more memory than the {limits.tenant_memory_mb} MB that one tenant may use: "
        "give it fewer factors or a shorter history, or raise RECFLEET_TENANT_MEMORY_MB"
    )


@contextmanager
def alone(connection: Connection, night: Night, shard: int, stage: str) -> Iterator[None]:
    """Wait for a ghost of this very task: Airflow gave it up, but it may still be at work."""
    name = f"night {night.night_id} shard {shard} {stage}"
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
    connection.commit()
    yield  # The lock ends with the connection, however this process ends.
