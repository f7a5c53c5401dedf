"""The ledger: for every tenant and night, how far it came, why, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from psycopg2 import sql
from psycopg2.extras import execute_values

from recfleet.errors import InfrastructureError
from recfleet.tenants import Mode, Policy

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

State = Literal[
    "planned", "validated", "trained", "judged", "published", "quarantined", "failed", "unchanged"
]
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
]
FINAL_STATES: tuple[State, ...] = ("published", "quarantined", "failed", "unchanged")


@dataclass(frozen=True)
class Night:
    """One nightly run."""

    night_id: int
    run_id: str
    as_of: datetime


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


@dataclass(frozen=True)
class Step:
    """What a stage made of one tenant's night: the state it is in now, and columns that changed."""

    state: State
    changes: Mapping[str, Any] = field(default_factory=dict)


def open_night(
    connection: Connection, run_id: str, logical_date: datetime | None, as_of: datetime
) -> Night:
    """The night of that Airflow run, begun if it is not there yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, logical_date, as_of) values (%s, %s, %s) "
            "on conflict (run_id) do update set status = 'running', finished_at = null "
            "returning night_id, run_id, as_of",
            (run_id, logical_date, as_of),
        )
        return Night(*_one(cursor))


def get_night(connection: Connection, run_id: str) -> Night:
    """The night of that Airflow run.

    Raises:
        LookupError: plan has not written it.
    """
    with connection.cursor() as cursor:
        cursor.execute("select night_id, run_id, as_of from night where run_id = %s", (run_id,))
        return Night(*_one(cursor))


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
            "select tenant_id, mode, policy, verdict, reason, numbers, challenger, intent "
            "from ledger where night_id = %s and shard = %s and state = %s "
            "order by estimated_ms desc, tenant_id",
            (night.night_id, shard, state),
        )
        return [
            TenantNight(tenant_id, mode, Policy.model_validate(policy), *rest)
            for tenant_id, mode, policy, *rest in cursor
        ]


_JSON_COLUMNS = frozenset({"numbers", "challenger", "intent"})
_COLUMNS = _JSON_COLUMNS | {"verdict", "outcome", "reason", "release_id"}


def record(
    connection: Connection,
    night: Night,
    tenant_id: str,
    step: Step,
    timings: Mapping[str, float],
    *,
    was: State,
) -> None:
    """Write what a stage made of a tenant's night; the caller commits.

    Raises:
        InfrastructureError: the tenant's night is no longer in the state ``was``: somebody else
            has gone on with it, such as close after this task was given up.
    """
    unknown = set(step.changes) - _COLUMNS
    if unknown:
        raise ValueError(f"the ledger has no column {sorted(unknown)}")
    assignments = sql.SQL("").join(
        sql.SQL(", {} = %s").format(sql.Identifier(column)) for column in step.changes
    )
    values = [
        json.dumps(value) if column in _JSON_COLUMNS and value is not None else value
        for column, value in step.changes.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "update ledger set state = %s, timings = timings || %s, updated_at = now(){} "
                "where night_id = %s and tenant_id = %s and state = %s"
            ).format(assignments),
            (step.state, json.dumps(dict(timings)), *values, night.night_id, tenant_id, was),
        )
        if cursor.rowcount != 1:
            raise InfrastructureError(
                f"the ledger no longer has {tenant_id} as {was} in night {night.night_id}: "
                "somebody else has gone on with it"
            )
