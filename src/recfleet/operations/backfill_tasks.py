"""The tasks of ``tenant_backfill``: nights of the past, run again for some tenants.

A backfill is a series of nights, one for each as-of time, in order. They are trials: each sees what
was known then (interactions up to its as-of time, the champion of that time, the evidence of the
fleet's nights before it), writes its rows of the ledger and its releases, and changes neither
champions nor live releases. If the request asks for promotion, the last night carries out its
verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from recfleet.audit import OF_BACKFILL, BackfillFacts, Entry, append_entries
from recfleet.database import Connection, connect, transaction
from recfleet.fleet import (
    PUBLISH,
    TRAIN_AND_JUDGE,
    VALIDATE,
    close_night,
    decide_night,
    import_ahead,
    place,
    run_supervised,
)
from recfleet.operations.backfill_preview import BackfillNight, look_ahead
from recfleet.operations.backfill_request import BackfillRequest, read_conf
from recfleet.operations.backfill_results import BackfillSummary, sum_up
from recfleet.record import (
    Night,
    nights_of_backfill,
    open_night,
    shards_with_work,
    write_plan,
)
from recfleet.releases import create_partition, create_shared_partition
from recfleet.settings import airflow_settings
from recfleet.tenants import lock_tenants

if TYPE_CHECKING:
    from recfleet.fleet import ShardSummary

log = structlog.get_logger(__name__)

RunStage = Callable[..., "ShardSummary"]


def _who(request: BackfillRequest, triggered_by: str | None) -> str | None:
    """The actor for the audit: only the command line's own Airflow user may name somebody else."""
    speaks_for_others = triggered_by in (None, airflow_settings().airflow_username)
    return (speaks_for_others and request.actor) or triggered_by


def plan_backfill(run_id: str, conf: Mapping[str, Any], *, triggered_by: str | None) -> list[int]:
    """Write all nights of a backfill once; another call for the same run leaves them as they are.

    Args:
        run_id: of the Airflow run.
        conf: the run's, see BackfillRequest.
        triggered_by: the Airflow user; None: nobody known triggered the run.

    Returns:
        The numbers of the shards with work, for ``replay_backfill``.

    Raises:
        BadInputError, UnknownTenantError: the conf cannot be used.
    """
    request = read_conf(conf)
    connection = connect(purpose="recfleet backfill plan")
    try:
        with transaction(connection):
            if not nights_of_backfill(connection, run_id):
                nights = [night for night in look_ahead(connection, request) if night.is_wanted]
                _write(connection, run_id, request, nights, _who(request, triggered_by))
        nights_written = nights_of_backfill(connection, run_id)
        # Lists of nights long past may have been dropped, so a run that starts again needs room.
        with transaction(connection):
            _make_room(connection, nights_written)
            shards = {
                shard for night in nights_written for shard in shards_with_work(connection, night)
            }
        log.info("backfill planned", nights=len(nights_written), shards=len(shards))
        return sorted(shards)
    finally:
        connection.close()


def _make_room(connection: Connection, nights: Sequence[Night]) -> None:
    create_shared_partition(connection, [night.night_id for night in nights if night.is_trial])
    for night in nights:
        if not night.is_trial:
            create_partition(connection, night.night_id)


def _write(
    connection: Connection,
    run_id: str,
    request: BackfillRequest,
    nights: Sequence[BackfillNight],
    actor: str | None,
) -> None:
    """Write nights, rows of the ledger and the audit."""
    placed = place(_costs(nights))
    # The audit names who asked, even for tenants with nothing to do.
    tenant_ids = {item.tenant.tenant_id for night in nights for item in night.prospects}
    recorded = Counter(item.tenant.tenant_id for night in nights for item in night.recorded)
    lock_tenants(connection, tenant_ids)
    for night in nights:
        opened = open_night(
            connection,
            f"{run_id}{OF_BACKFILL}{night.as_of:%Y-%m-%dT%H:%M}",
            None,
            night.as_of,
            kind="backfill",
            is_trial=night.is_trial,
            backfill=run_id,
        )
        rows = [item.planned(placed.get(item.tenant.tenant_id, 0)) for item in night.prospects]
        write_plan(connection, opened, rows)
    append_entries(
        connection,
        [
            Entry(
                kind="backfill",
                tenant_id=tenant_id,
                actor=actor or "airflow",
                reason=request.reason or request.sentence(),
                facts=BackfillFacts(
                    first=request.first,
                    last=request.last,
                    step=request.step,
                    promote=request.promote,
                    force=request.force,
                    nights=recorded[tenant_id],
                    run_id=run_id,
                ),
            )
            for tenant_id in sorted(tenant_ids)
        ],
    )


def _costs(nights: Sequence[BackfillNight]) -> dict[str, float]:
    """Tenant id -> estimated milliseconds of all its nights."""
    costs: Counter[str] = Counter()
    for night in nights:
        for item in night.busy:
            costs[item.tenant.tenant_id] += item.estimated_ms  # type: ignore[assignment]
    return dict(costs)


def replay_backfill(
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int, int], None] = lambda *_: None,
    run_stage: RunStage = run_supervised,
) -> None:
    """Work a shard through the nights of a backfill, in order; safe to kill and to run again.

    Each night is validated, trained, judged and published. Only the night that may promote stays
    unpublished until ``decide_backfill`` has seen it.

    Args:
        run_id: of the Airflow run.
        shard: its number.
        attempt: 1 for the first try of the task, 2 for the second, …
        on_start: called before the first tenant with the numbers of tenants and nights to do.
        run_stage: runs a stage over a shard.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: a service is away; what is done
            stays done, and another attempt continues from there.
    """
    connection = connect(purpose=f"recfleet backfill shard {shard}")
    try:
        tenants, nights = _unfinished(connection, run_id, shard)
        connection.commit()
    finally:
        connection.close()
    on_start(tenants, len(nights))
    if not nights:
        return
    # Every stage of every night has a child of its own; importing here spares it the imports.
    import_ahead()
    for number, night in enumerate(nights, start=1):
        for stage in (VALIDATE, TRAIN_AND_JUDGE, PUBLISH):
            if stage is not PUBLISH or night.is_trial:
                run_stage(stage, night.run_id, shard, attempt=attempt)
        log.info(f"backfill: {number} of {len(nights)} nights", as_of=f"{night.as_of:%Y-%m-%d}")


def _unfinished(connection: Connection, run_id: str, shard: int) -> tuple[int, list[Night]]:
    """How many tenants of a shard have something left to do, and the nights for it, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, tenant_id from tenant_night "
            "where backfill = %s and shard = %s and (state in ('planned', 'validated') "
            "or (state = 'judged' and is_trial))",
            (run_id, shard),
        )
        left = cursor.fetchall()
    wanted = {night_id for night_id, _ in left}
    nights = [night for night in nights_of_backfill(connection, run_id) if night.night_id in wanted]
    return len({tenant_id for _, tenant_id in left}), nights


def decide_backfill(run_id: str) -> list[int]:
    """Look at all verdicts of the night that may promote, as decide does for tonight's.

    Returns:
        The shards that ``publish_backfill`` has to publish; none if every night is a trial.
    """
    night = _promoting(run_id)
    if night is None:
        return []
    decide_night(night.run_id)
    connection = connect(purpose="recfleet backfill decide")
    try:
        return shards_with_work(connection, night)
    finally:
        connection.close()


def publish_backfill(
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
    run_stage: RunStage = run_supervised,
) -> None:
    """Publish a shard in the night that may promote; arguments as for ``replay_backfill``."""
    night = _promoting(run_id)
    if night is not None:
        run_stage(PUBLISH, night.run_id, shard, attempt=attempt, on_start=on_start)


def _promoting(run_id: str) -> Night | None:
    connection = connect(purpose="recfleet backfill")
    try:
        nights = nights_of_backfill(connection, run_id)
    finally:
        connection.close()
    return next((night for night in nights if not night.is_trial), None)


def close_backfill(run_id: str) -> BackfillSummary:
    """Close every night of a backfill after everything else has ended, and sum up."""
    connection = connect(purpose="recfleet backfill close")
    try:
        nights = nights_of_backfill(connection, run_id)
        connection.commit()
    finally:
        connection.close()
    summary = sum_up([close_night(night.run_id).outcomes for night in nights])
    log.info(summary.sentence())
    return summary
