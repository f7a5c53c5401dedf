"""The ledger: how far each tenant's night came, why, and what it cost."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from psycopg2.extras import RealDictCursor, execute_values
from pydantic import ValidationError

from recfleet.database import Connection
from recfleet.errors import InfrastructureError
from recfleet.record.challengers import ChallengerFacts, NightNumbers
from recfleet.record.intents import Intent, intent_json, read_intent
from recfleet.record.nights import Night
from recfleet.stored import Stored
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
FINAL_STATES: tuple[State, ...] = ("published", "quarantined", "failed", "unchanged")


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
    numbers: NightNumbers | None
    challenger: ChallengerFacts | None
    intent: Intent | None
    estimated_ms: float = 0.0
    held_by: HeldBy | None = None
    """Why the change of champion waits for a person; None: it does not wait."""
    held_verdict: Literal["promote", "rollback"] | None = None
    """The waiting verdict."""
    policy_error: str | None = None
    """Why the planned policy cannot be used, for instance after an upgrade in the middle of a
    night; ``policy`` is then the code's default."""


class Changes(TypedDict, total=False):
    """Columns of the ledger that a stage may change."""

    verdict: str
    outcome: Outcome
    reason: str | None
    release_id: int
    numbers: NightNumbers
    challenger: ChallengerFacts
    intent: Intent | None
    """None: the change is finished."""


@dataclass(frozen=True)
class Step:
    """A stage's result for one tenant's night: its new state, and the columns that changed."""

    state: State
    changes: Changes = field(default_factory=Changes)


def write_plan(connection: Connection, night: Night, planned: Sequence[Planned]) -> None:
    """Write the night's rows; existing rows stay as they are."""
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


def is_planned(connection: Connection, night: Night) -> bool:
    """Whether the night has rows already."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from ledger where night_id = %s)", (night.night_id,))
        [(is_there,)] = cursor.fetchall()
    return bool(is_there)


def write_published(
    connection: Connection,
    night: Night,
    row: Planned,
    *,
    release_id: int | None,
    intent: Intent | None = None,
) -> None:
    """Write the row of a tenant that was published without the stages; the caller commits.

    An existing row keeps its plan and gets the new outcome.

    Args:
        connection: an open connection.
        night: the row's night.
        row: the tenant's, with its outcome.
        release_id: the release that is live from now on.
        intent: what remains to be done after the commit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "state, outcome, reason, release_id, intent) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (night_id, tenant_id) do update set outcome = excluded.outcome, "
            "reason = excluded.reason, release_id = excluded.release_id, "
            "intent = excluded.intent, updated_at = now()",
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
                release_id,
                None if intent is None else intent_json(intent),
            ),
        )


def shards_with_work(connection: Connection, night: Night) -> list[int]:
    """Numbers of the shards with something to do, in order."""
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
    """The shard's tenants in that state, most expensive first."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            "select tenant_id, mode, policy, verdict, reason, numbers, challenger, intent, "
            "estimated_ms, held_by, held_verdict "
            "from ledger where night_id = %s and shard = %s and state = %s "
            "order by estimated_ms desc, tenant_id",
            (night.night_id, shard, state),
        )
        return [_tenant_night(row) for row in cursor]


def _tenant_night(row: Mapping[str, Any]) -> TenantNight:
    numbers, challenger, intent = row["numbers"], row["challenger"], row["intent"]
    found = TenantNight(
        **{
            **row,
            "policy": Policy(),
            "numbers": None if numbers is None else NightNumbers.model_validate(numbers),
            "challenger": None
            if challenger is None
            else ChallengerFacts.model_validate(challenger),
            "intent": None if intent is None else read_intent(intent),
        }
    )
    try:
        return replace(found, policy=Policy.model_validate(row["policy"]))
    except ValidationError as error:
        trouble = f"the policy it was planned with cannot be used: {'; '.join(problems(error))}"
        return replace(found, policy_error=trouble)


_COLUMN_TYPES = {
    "verdict": "text",
    "outcome": "text",
    "reason": "text",
    "release_id": "bigint",
    "numbers": "jsonb",
    "challenger": "jsonb",
    "intent": "jsonb",
}


def record_step(
    connection: Connection,
    night: Night,
    tenant_id: str,
    step: Step,
    timings: Mapping[str, float],
    *,
    was: State,
) -> None:
    """Write a stage's step for one tenant's night; see ``record_steps``."""
    record_steps(connection, night, [(tenant_id, step, timings)], was=was)


def record_steps(
    connection: Connection,
    night: Night,
    steps: Sequence[tuple[str, Step, Mapping[str, float]]],
    *,
    was: State,
) -> None:
    """Write a stage's steps for some tenants' nights; the caller commits.

    Args:
        connection: an open connection.
        night: the tenants' night.
        steps: tenant, step and timings; each tenant once.
        was: the present state of the tenants' nights.

    Raises:
        InfrastructureError: a tenant's night is no longer in the state ``was``: another process has
            taken it over, such as close after this task was given up.
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
            *(_plain(column, step.changes.get(column)) for column in columns),
        )
        for tenant_id, step, timings in items
    ]
    with connection.cursor() as cursor:
        written = execute_values(cursor, query, rows, template, page_size=len(rows), fetch=True)
    lost = {tenant_id for tenant_id, _, _ in items} - {tenant_id for (tenant_id,) in written}
    if lost:
        raise InfrastructureError(
            f"the ledger no longer has {', '.join(sorted(lost))} as {was} in night "
            f"{night.night_id}: another process has continued with them"
        )


def _plain(column: str, value: Any) -> Any:
    """A value of Changes as the table stores it."""
    if column == "intent" and value is not None:
        return intent_json(value)
    return value.text() if isinstance(value, Stored) else value
