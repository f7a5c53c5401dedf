"""The ledger: for every tenant and night, how far it came, why, and what it cost."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from psycopg2.extras import execute_values
from pydantic import ValidationError

from recfleet.database import Connection
from recfleet.errors import InfrastructureError
from recfleet.tenants import Mode, Policy
from recfleet.tenants.fields import problems

State = Literal["planned", "validated", "judged", "published", "quarantined", "failed", "unchanged"]
Outcome = Literal[
    "first model",
    "promoted",
    "kept",
    "rolled back",
    "rejected",
    "awaiting approval",
    "too thin",
    "frozen",
    "quarantined",
    "failed",
    "unchanged",
    "no data",
    "nothing to offer",
    "backfilled",
    "switched on",
]
HeldBy = Literal["policy", "brake"]
NightKind = Literal["fleet", "backfill", "operator"]
_NIGHT = "night_id, run_id, as_of, kind, is_trial"
FINAL_STATES: tuple[State, ...] = ("published", "quarantined", "failed", "unchanged")


@dataclass(frozen=True)
class Night:
    """One nightly run, a night of the past that is run again, or what a person did by day."""

    night_id: int
    run_id: str
    as_of: datetime
    kind: NightKind = "fleet"
    is_trial: bool = False
    """Whether it changes neither champions nor live releases."""


@dataclass(frozen=True)
class Planned:
    """One tenant as plan puts it into the ledger."""

    tenant_id: str
    mode: Mode
    shard: int
    estimated_ms: float
    basis: str
    policy: Policy = field(default_factory=Policy)
    state: State = "planned"
    outcome: Outcome | None = None
    reason: str | None = None


@dataclass(frozen=True)
class TenantNight:
    """One tenant's row of the ledger, as a stage finds it."""

    tenant_id: str
    mode: Mode
    policy: Policy
    verdict: str | None
    reason: str | None
    numbers: dict[str, Any] | None
    challenger: dict[str, Any] | None
    intent: dict[str, Any] | None
    estimated_ms: float = 0.0
    held_by: HeldBy | None = None
    """What made the change of champion wait for a person; None: nothing did."""
    held_verdict: Literal["promote", "rollback"] | None = None
    """The verdict that waits."""
    policy_error: str | None = None
    """Why the policy that was planned cannot be used, as after an upgrade in the middle of a night;
    ``policy`` is then as in the code."""


@dataclass(frozen=True)
class Step:
    """What a stage made of one tenant's night: the state it is in now, and columns that changed."""

    state: State
    changes: Mapping[str, Any] = field(default_factory=dict)


def open_night(
    connection: Connection,
    run_id: str,
    logical_date: datetime | None,
    as_of: datetime,
    *,
    kind: NightKind = "fleet",
    is_trial: bool = False,
    backfill: str | None = None,
) -> Night:
    """The night of that run, begun if it is not there yet.

    Args:
        connection: an open connection; the caller commits.
        run_id: of the Airflow run, or another name that no other night has.
        logical_date: of the run; None for one without.
        as_of: the night sees nothing later.
        kind: why there is this night.
        is_trial: whether it changes neither champions nor live releases.
        backfill: of a night of that kind: the Airflow run of all its nights.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, logical_date, as_of, kind, is_trial, backfill) "  # noqa: S608
            "values (%s, %s, %s, %s, %s, %s) "
            "on conflict (run_id) do update set status = 'running', finished_at = null "
            f"returning {_NIGHT}",
            (run_id, logical_date, as_of, kind, is_trial, backfill),
        )
        return Night(*_one(cursor))


def get_night(connection: Connection, run_id: str) -> Night:
    """The night of that Airflow run.

    Raises:
        LookupError: plan has not written it.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select {_NIGHT} from night where run_id = %s", (run_id,))  # noqa: S608
        return Night(*_one(cursor))


def nights_of_backfill(connection: Connection, run_id: str) -> list[Night]:
    """The nights of a backfill, by their as-of times.

    Args:
        connection: an open connection.
        run_id: of the backfill's Airflow run.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {_NIGHT} from night where backfill = %s order by as_of",  # noqa: S608
            (run_id,),
        )
        return [Night(*row) for row in cursor]


def _one(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None:
        raise LookupError("plan has not written this night")
    return row


def write_plan(connection: Connection, night: Night, planned: Sequence[Planned]) -> None:
    """Write the night's rows; rows that are there stay as they are."""
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "state, outcome, reason) values %s on conflict do nothing",
            [
                (
                    night.night_id,
                    row.tenant_id,
                    row.mode,
                    row.policy.model_dump_json(),
                    row.shard,
                    row.estimated_ms,
                    row.basis,
                    row.state,
                    row.outcome,
                    row.reason,
                )
                for row in planned
            ],
            page_size=1000,
        )


def write_left_out(connection: Connection, night: Night) -> None:
    """Write down how many of the fleet's tenants a night of named ones leaves out, if it does.

    It is in the night's summary from the plan on, so that nobody takes such a night for the
    fleet's while it runs either; those that are off are in no night, and not counted.

    Args:
        connection: an open connection; the caller commits.
        night: whose plan is written.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update night set summary = jsonb_build_object('left_out', left_out) "
            "from (select count(*) as left_out from tenant where mode <> 'off' and not exists "
            "(select from ledger where night_id = %(night)s "
            "and ledger.tenant_id = tenant.tenant_id)) as counted "
            "where night_id = %(night)s and left_out > 0",
            {"night": night.night_id},
        )


def shards_with_work(connection: Connection, night: Night) -> list[int]:
    """Numbers of the shards in which a tenant has something to do, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct shard from ledger where night_id = %s and state <> 'unchanged' "
            "order by shard",
            (night.night_id,),
        )
        return [shard for (shard,) in cursor]


def rows_in_state(
    connection: Connection, night: Night, shard: int, state: State
) -> list[TenantNight]:
    """The shard's tenants in that state, the dearest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, mode, policy, verdict, reason, numbers, challenger, intent, "
            "estimated_ms, held_by, held_verdict "
            "from ledger where night_id = %s and shard = %s and state = %s "
            "order by estimated_ms desc, tenant_id",
            (night.night_id, shard, state),
        )
        return [_tenant_night(*row) for row in cursor]


def _tenant_night(tenant_id: str, mode: Mode, policy: dict[str, Any], *rest: Any) -> TenantNight:
    try:
        return TenantNight(tenant_id, mode, Policy.model_validate(policy), *rest)
    except ValidationError as error:
        trouble = f"the policy that it was planned by cannot be used: {'; '.join(problems(error))}"
        return replace(TenantNight(tenant_id, mode, Policy(), *rest), policy_error=trouble)


_COLUMN_TYPES = {
    "verdict": "text",
    "outcome": "text",
    "reason": "text",
    "release_id": "bigint",
    "numbers": "jsonb",
    "challenger": "jsonb",
    "intent": "jsonb",
}


def record(
    connection: Connection,
    night: Night,
    tenant_id: str,
    step: Step,
    timings: Mapping[str, float],
    *,
    was: State,
) -> None:
    """Write what a stage made of a tenant's night; see ``record_all``."""
    record_all(connection, night, [(tenant_id, step, timings)], was=was)


def record_all(
    connection: Connection,
    night: Night,
    steps: Sequence[tuple[str, Step, Mapping[str, float]]],
    *,
    was: State,
) -> None:
    """Write what a stage made of some tenants' nights; the caller commits.

    Args:
        connection: an open connection.
        night: whose ledger.
        steps: tenant, step and timings; each tenant once.
        was: the state that the tenants' nights are in.

    Raises:
        InfrastructureError: a tenant's night is no longer in the state ``was``: somebody else has
            gone on with it, such as close after this task was given up.
    """
    alike: defaultdict[tuple[str, ...], list[tuple[str, Step, Mapping[str, float]]]]
    alike = defaultdict(list)
    for item in steps:
        columns = tuple(sorted(item[1].changes))
        unknown = set(columns) - _COLUMN_TYPES.keys()
        if unknown:
            raise ValueError(f"the ledger has no column {sorted(unknown)}")
        alike[columns].append(item)
    for columns, items in alike.items():
        _record_alike(connection, night, columns, items, was)


def _record_alike(
    connection: Connection,
    night: Night,
    columns: tuple[str, ...],
    items: Sequence[tuple[str, Step, Mapping[str, float]]],
    was: State,
) -> None:
    """Record steps that change the same columns, in one statement."""
    changes = "".join(f", {column} = new.{column}" for column in columns)
    query = (
        "update ledger set state = new.state, timings = ledger.timings || new.timings, "  # noqa: S608
        f"updated_at = now(){changes} from (values %s) "
        f"as new ({', '.join(('tenant_id', 'state', 'timings', *columns))}) "
        f"where night_id = {int(night.night_id)} and ledger.tenant_id = new.tenant_id "
        f"and ledger.state = '{was}' returning ledger.tenant_id"
    )
    template = f"(%s, %s, %s::jsonb{''.join(f', %s::{_COLUMN_TYPES[name]}' for name in columns)})"
    rows = [
        (
            tenant_id,
            step.state,
            json.dumps(dict(timings)),
            *(_plain(column, step.changes[column]) for column in columns),
        )
        for tenant_id, step, timings in items
    ]
    with connection.cursor() as cursor:
        written = execute_values(cursor, query, rows, template, page_size=len(rows), fetch=True)
    lost = {tenant_id for tenant_id, _, _ in items} - {tenant_id for (tenant_id,) in written}
    if lost:
        raise InfrastructureError(
            f"the ledger no longer has {', '.join(sorted(lost))} as {was} in night "
            f"{night.night_id}: somebody else has gone on with it"
        )


def _plain(column: str, value: Any) -> Any:
    return json.dumps(value) if _COLUMN_TYPES[column] == "jsonb" and value is not None else value
