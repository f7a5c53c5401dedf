"""Nights of the past, run again for some tenants.

A backfill is a series of nights, one for each as-of time, in order. They are trials: each sees what
was known then (interactions up to its as-of time, the champion of that time, the evidence of the
fleet's nights before it), writes its rows of the ledger and its releases, and changes neither
champions nor what is live. The last one is as tonight's would be where that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from psycopg2.extras import RealDictCursor

from recfleet.audit import OF_BACKFILL, Entry, append_entries
from recfleet.database import Connection, connect, transaction
from recfleet.errors import BadInputError
from recfleet.fleet.close import close, failed_share
from recfleet.fleet.decide import decide
from recfleet.fleet.plan import Idle, Prospect, place, survey
from recfleet.fleet.stages import PUBLISH, TRAIN_AND_JUDGE, VALIDATE
from recfleet.fleet.supervisor import import_ahead, run_supervised
from recfleet.operations.backfill_request import BackfillRequest, read_conf
from recfleet.record.champions import champions_of
from recfleet.record.ledger import (
    FINAL_STATES,
    Night,
    nights_of_backfill,
    open_night,
    shards_with_work,
    write_plan,
)
from recfleet.releases import create_partition, create_shared_partition
from recfleet.settings import settings
from recfleet.tenants import Tenant, get_tenants, lock_tenants

if TYPE_CHECKING:
    from recfleet.fleet.stage_loop import ShardSummary

log = structlog.get_logger(__name__)

RunStage = Callable[..., "ShardSummary"]

_OFF = Idle("unchanged", "it is off: nothing is computed for it")


@dataclass(frozen=True)
class BackfillNight:
    """One night of a backfill, before it is written."""

    as_of: datetime
    is_trial: bool
    prospects: list[Prospect]

    @property
    def busy(self) -> list[Prospect]:
        """Tenants for whom something is to be done."""
        return [item for item in self.prospects if item.idle is None]

    @property
    def told(self) -> list[Prospect]:
        """Tenants for whom something is to be done, or to be said."""
        return [
            item for item in self.prospects if item.idle is None or item.idle.outcome != "unchanged"
        ]

    @property
    def is_wanted(self) -> bool:
        """Whether it is written: something is to be done, or to be said."""
        return not self.is_trial or bool(self.told)


def look_ahead(connection: Connection, request: BackfillRequest) -> list[BackfillNight]:
    """What a backfill would do, night by night; nothing is written.

    Args:
        connection: an open connection.
        request: what is asked for.

    Raises:
        UnknownTenantError: a tenant is not there.
        BadInputError: all tenants are off, or one is frozen and promotion is asked for.
    """
    tenants = get_tenants(connection, request.tenants)
    _refuse(tenants, request)
    times = request.as_of_times()
    return [
        _look_at(connection, tenants, as_of, request, is_last=as_of == times[-1]) for as_of in times
    ]


def _refuse(tenants: Sequence[Tenant], request: BackfillRequest) -> None:
    if all(tenant.mode == "off" for tenant in tenants):
        raise BadInputError(
            f"{_named(tenants)} {'is' if len(tenants) == 1 else 'are'} off, and nothing is "
            "computed for who is off: `recfleet tenant set-mode` switches tenants on."
        )
    frozen = [tenant for tenant in tenants if tenant.mode == "frozen"]
    if request.promote and frozen:
        raise BadInputError(
            f"{_named(frozen)} {'is' if len(frozen) == 1 else 'are'} frozen, and who is frozen "
            "keeps its champion: thaw with `recfleet tenant set-mode`, or backfill without "
            "promotion."
        )


def _named(tenants: Sequence[Tenant]) -> str:
    names = [tenant.tenant_id for tenant in tenants[:5]]
    more = len(tenants) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _look_at(
    connection: Connection,
    tenants: Sequence[Tenant],
    as_of: datetime,
    request: BackfillRequest,
    *,
    is_last: bool,
) -> BackfillNight:
    is_trial = not (request.promote and is_last)
    found = survey(connection, tenants, as_of, is_trial=is_trial, is_named=request.force)
    if is_trial:
        found = _as_trials(connection, found, as_of, is_forced=request.force)
    else:
        found = [_with_way_out(item) for item in found]
    found = [replace(item, idle=_OFF) if item.tenant.mode == "off" else item for item in found]
    return BackfillNight(as_of, is_trial, found)


def _with_way_out(item: Prospect) -> Prospect:
    """The same; where it is idle for want of anything new, with what judges it all the same."""
    why = item.idle
    if why is None or not why.unless_named:
        return item
    return replace(item, idle=replace(why, reason=f"{why.reason}; --force judges it all the same"))


def _as_trials(
    connection: Connection, found: Sequence[Prospect], as_of: datetime, *, is_forced: bool
) -> list[Prospect]:
    """The same with the champion of that time in the basis; idle, who was done from that basis."""
    tenant_ids = [item.tenant.tenant_id for item in found]
    night = Night(0, "", as_of, "backfill", is_trial=True)
    champions = champions_of(connection, night, tenant_ids)
    with_champion = []
    for item in found:
        champion = champions.get(item.tenant.tenant_id)
        version = champion.version if champion else "none"
        with_champion.append(replace(item, basis=f"{item.basis} champion={version}"))
    done = {} if is_forced else _done_nights(connection, with_champion, as_of)
    return [
        replace(item, idle=_done_already(done[item.tenant.tenant_id]))
        if item.tenant.tenant_id in done and (item.idle is None or item.idle.outcome == "no data")
        else item
        for item in with_champion
    ]


def _done_already(night_id: int) -> Idle:
    return Idle("unchanged", f"done from the same data in night {night_id}; --force does it again")


def _done_nights(
    connection: Connection, found: Sequence[Prospect], as_of: datetime
) -> dict[str, int]:
    """Tenant id -> the trial as of that time that came to its end from this very basis."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, max(night_id) "
            "from unnest(%s::text[], %s::text[]) as asked (tenant_id, basis) "
            "join ledger using (tenant_id, basis) join night using (night_id) "
            "where night.as_of = %s and kind = 'backfill' and is_trial "
            "and (state = 'published' or outcome = 'no data') "
            "group by tenant_id",
            ([item.tenant.tenant_id for item in found], [item.basis for item in found], as_of),
        )
        return dict(cursor.fetchall())


# --- The tasks ------------------------------------------------------------------------------------


def _who(request: BackfillRequest, triggered_by: str | None) -> str | None:
    """Whom the audit names: only the command line's own Airflow user may speak for another."""
    speaks_for_others = triggered_by in (None, settings().airflow_username)
    return (speaks_for_others and request.actor) or triggered_by


def plan_backfill(run_id: str, conf: Mapping[str, Any], *, triggered_by: str | None) -> list[int]:
    """Write all nights of a backfill, once: asked again for the same run, they stay as they are.

    Args:
        run_id: of the Airflow run.
        conf: the run's, see BackfillRequest.
        triggered_by: the Airflow user; None: the run was not triggered by anybody who is known.

    Returns:
        The numbers of the shards that have work; each is worked through by ``replay``.

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
        # Lists of nights long past may have been dropped: a run that is begun anew has room.
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
    # Who asked is told of every tenant in these nights, also where there is nothing to do for it.
    tenant_ids = {item.tenant.tenant_id for night in nights for item in night.prospects}
    told = Counter(item.tenant.tenant_id for night in nights for item in night.told)
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
                facts={
                    "from": request.first.isoformat(),
                    "to": request.last.isoformat(),
                    "step": request.step,
                    "promote": request.promote,
                    "force": request.force,
                    "nights": told[tenant_id],
                    "run_id": run_id,
                },
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


def replay(
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int, int], None] = lambda *_: None,
    run_stage: RunStage = run_supervised,
) -> None:
    """Work a shard through the nights of a backfill, in order; safe to kill and to run again.

    Each night is validated, trained, judged and published; the one that may promote is left for
    ``decide_backfill`` to look at before it is published.

    Args:
        run_id: of the Airflow run.
        shard: its number.
        attempt: 1 for the first try of the task, 2 for the second, …
        on_start: told how many tenants and nights there are to do, before the first.
        run_stage: runs a stage over a shard.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: a service is away; what is done is
            done, and another attempt goes on from there.
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
    # Every stage of every night has a child of its own, which need not import them again.
    import_ahead()
    for number, night in enumerate(nights, start=1):
        for stage in (VALIDATE, TRAIN_AND_JUDGE, PUBLISH):
            if stage is not PUBLISH or night.is_trial:
                run_stage(stage, night.run_id, shard, attempt=attempt)
        log.info(f"backfill: {number} of {len(nights)} nights", as_of=f"{night.as_of:%Y-%m-%d}")


def _unfinished(connection: Connection, run_id: str, shard: int) -> tuple[int, list[Night]]:
    """How many tenants of a shard have something left to do, and in which nights, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, tenant_id from ledger join night using (night_id) "
            "where backfill = %s and shard = %s and (state in ('planned', 'validated') "
            "or (state = 'judged' and is_trial))",
            (run_id, shard),
        )
        left = cursor.fetchall()
    wanted = {night_id for night_id, _ in left}
    nights = [night for night in nights_of_backfill(connection, run_id) if night.night_id in wanted]
    return len({tenant_id for _, tenant_id in left}), nights


def decide_backfill(run_id: str) -> list[int]:
    """Look at all verdicts of the night that may promote, as decide does at tonight's.

    Returns:
        The shards that ``publish_backfill`` has to publish; none where every night is a trial.
    """
    night = _promoting(run_id)
    if night is None:
        return []
    decide(night.run_id)
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
    """Publish a shard in the night that may promote, as tonight's would be; as ``replay`` else."""
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


@dataclass(frozen=True)
class BackfillSummary:
    """A backfill in numbers."""

    nights: int
    outcomes: dict[str, int]
    """Outcome -> tenants' nights."""
    tolerated_failures: float

    @property
    def failed_share(self) -> float:
        """Of the tenants' nights that had something to do."""
        return failed_share(self.outcomes)

    @property
    def failed(self) -> bool:
        """Whether more failed than is tolerated."""
        return self.failed_share > self.tolerated_failures

    def sentence(self) -> str:
        """The backfill in one line, for people."""
        if not self.nights:
            return "nothing to do: all of it has been done from the same data"
        noun = "night" if self.nights == 1 else "nights"
        parts = [f"{count} {outcome}" for outcome, count in self.outcomes.items()]
        return f"{self.nights} {noun}, tenant by tenant: {', '.join(parts)}"


def close_backfill(run_id: str) -> BackfillSummary:
    """Close every night of a backfill, once everything else has ended, and sum up."""
    connection = connect(purpose="recfleet backfill close")
    try:
        nights = nights_of_backfill(connection, run_id)
        connection.commit()
    finally:
        connection.close()
    summary = _sum_up([close(night.run_id).outcomes for night in nights])
    log.info(summary.sentence())
    return summary


def _sum_up(nights: Sequence[Mapping[str, int]]) -> BackfillSummary:
    outcomes: Counter[str] = Counter()
    for night in nights:
        outcomes.update(night)
    return BackfillSummary(len(nights), dict(outcomes.most_common()), settings().tolerated_failures)


# --- What became of it ----------------------------------------------------------------------------


def backfill_sentence(connection: Connection, run_id: str) -> str | None:
    """A backfill that has ended, in one line; None where none of its nights has. Commits."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select summary -> 'outcomes' from night "
            "where backfill = %s and finished_at is not null",
            (run_id,),
        )
        nights = [outcomes for (outcomes,) in cursor]
    return _sum_up(nights).sentence() if nights else None


@dataclass(frozen=True)
class BackfillProgress:
    """How far a backfill is."""

    nights: int
    nights_done: int
    """Nights in which every tenant has come to its end."""
    states: dict[str, int]
    """State -> tenants' nights."""


def backfill_progress(connection: Connection, run_id: str) -> BackfillProgress:
    """How far a backfill is; without any night before it is planned.

    Args:
        connection: an open connection; it commits.
        run_id: of the Airflow run.
    """
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select state, count(*) from ledger join night using (night_id) where backfill = %s "
            "group by state",
            (run_id,),
        )
        states = dict(cursor.fetchall())
        cursor.execute(
            "select count(*), count(*) filter (where not exists (select from ledger "
            "where ledger.night_id = night.night_id and state <> all(%s))) "
            "from night where backfill = %s",
            (list(FINAL_STATES), run_id),
        )
        [(nights, done)] = cursor.fetchall()
    return BackfillProgress(nights, done, states)


def backfilled_nights(connection: Connection, request: BackfillRequest) -> list[dict[str, Any]]:
    """What the newest backfill found for each tenant and date of a request, by tenant and date.

    Args:
        connection: an open connection; it commits.
        request: which tenants and dates; those never run are left out.
    """
    with transaction(connection), connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            """
            select distinct on (tenant_id, night.as_of)
                   tenant_id as tenant, night.as_of, night_id as night, verdict, outcome,
                   release.served_by, release.model_version as version,
                   (numbers #>> '{contenders,challenger,rmse}')::float as rmse_challenger,
                   (numbers #>> '{contenders,champion,rmse}')::float as rmse_champion,
                   (numbers #>> '{contenders,popularity,rmse}')::float as rmse_popularity,
                   (numbers #>> '{gain,value}')::float as gain, reason
              from ledger join night using (night_id)
              left join release using (release_id, night_id, tenant_id)
             where kind = 'backfill' and tenant_id = any(%s) and night.as_of = any(%s)
               and not (is_trial and outcome is not distinct from 'unchanged')
             order by tenant_id, night.as_of, night_id desc
            """,
            (list(request.tenants), request.as_of_times()),
        )
        return [dict(row) for row in cursor]
