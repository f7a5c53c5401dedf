"""One loop that runs any stage over a shard.

It catches a tenant's failure and writes it down, skips what the ledger says is done, times it, and
lets only trouble with the infrastructure out, so that Airflow retries the shard and the shard goes
on where it stopped.
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
"""Classes of SQLSTATE that psycopg2 does not count as operational and that are no tenant's doing:
a transaction that is read-only, void or timed out; an error within Postgres."""
_BATCH_MILLISECONDS = 4_000.0
"""Estimated work after which a batch is ended: about what a killed process may have to repeat."""


@dataclass(frozen=True)
class Desk:
    """What a stage works with: the night, the database, and what it costs."""

    night: Night
    connection: Connection
    retried: bool
    """Whether some of this work may have been done before."""
    accounts: Accounts
    """Where the cost of the task is added up: imports, preparing, and writing the ledger."""


@dataclass(frozen=True)
class Work(Generic[Made]):
    """What a stage made of one tenant, before its end."""

    row: TenantNight
    made: Made
    watch: Stopwatch


@dataclass(frozen=True)
class Stage(Generic[Prepared, Made]):
    """One of the steps of a tenant's night.

    A tenant's work is done by itself. What is cheaper for a batch of tenants, such as writing
    to a database, is done in ``finish``, in the transaction in which their steps are recorded; it
    is repeated for each of them alone when it fails for the batch.
    """

    name: str
    takes: State
    """The state of the tenants that it works on."""
    prepare: Callable[[Desk, list[TenantNight]], Prepared]
    """Done once for the shard: heavy imports, and what is cheaper done for all at once."""
    work: Callable[[Desk, TenantNight, Prepared, Stopwatch], Step | Made]
    """Done for each tenant: its step, or what ``finish`` makes a step of. It may write to the
    database only where tenants are not finished in batches; that is committed with its step."""
    finish: Callable[[Desk, Prepared, list[Work[Made]]], list[Step]] | None = None
    """Done for the tenants of a batch: their steps, in their order."""
    batch_size: int = 1
    """Tenants of a batch, at most: so many are recorded in one transaction."""


@dataclass(frozen=True)
class ShardSummary:
    """How a shard's stage ended."""

    tenants: int
    failed: int


class Onlooker:
    """Whoever looks on while a shard is worked through; this one lets everything pass."""

    only: Collection[str] | None = None
    """The tenants to work on; None: all that the ledger has for the stage."""

    def begins(self, rows: list[TenantNight]) -> None:
        """These tenants are to be done; they are prepared for now."""

    def prepared(self, desk: Desk) -> None:
        """What is done for all at once is done."""

    def turn(self, row: TenantNight) -> None:
        """It is this tenant's turn."""

    def ends(self, works: list[Work[Any]]) -> None:
        """These tenants' work is done; the batch is finished now."""

    def did(self, steps: list[Step]) -> None:
        """These are their steps, and committed."""


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
        on_start: told how many tenants there are to do, before the first.
        onlooker: told of every step, see ``fleet.supervisor``.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: a service is away or a disk is
            full; what is done is done, and another attempt goes on from there.
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
    """Tenants in their order, so many at a time; fewer where they have much to do."""
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
                _end(stage, desk, works, prepared)  # What is done shall not be done again.
            raise
    onlooker.ends(works)
    return _end(stage, desk, works, prepared)


def _work(
    stage: Stage[Any, Any], desk: Desk, row: TenantNight, prepared: object
) -> Work[Step | Any]:
    """One tenant's work; its failure is what it has made."""
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
    """Finish a batch's work and record it; each tenant's alone when that fails."""
    try:
        return _end_batch(stage, desk, works, prepared)
    except Exception as error:
        if _is_infrastructure(error):
            raise
        if len(works) > 1:
            log.warning(f"{stage.name}: a batch failed; its tenants are tried one by one")
            again = replace(desk, retried=True)  # Some of it may be done.
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
        # What the failed work still holds is wanted for writing down that it failed.
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
    """Why a tenant failed that asked for more memory than one tenant may have."""
    return (
        f"it needed more memory than the {limits.tenant_memory_mb} MB that one tenant may use: "
        "give it fewer factors or a shorter history, or raise RECFLEET_TENANT_MEMORY_MB"
    )


@contextmanager
def alone(connection: Connection, night: Night, shard: int, stage: str) -> Iterator[None]:
    """Wait for a ghost of this very task, which Airflow gave up and which may still be at work."""
    name = f"night {night.night_id} shard {shard} {stage}"
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
    connection.commit()
    yield  # The lock goes with the connection, however this process ends.
