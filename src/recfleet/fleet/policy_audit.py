"""The fleet's policy in the audit: the file itself keeps no history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recfleet.audit import SCHEDULER, Entry, FieldChange, PolicyFacts, append_entries
from recfleet.database import Connection
from recfleet.tenants import Policy
from recfleet.tenants.fields import flatten

if TYPE_CHECKING:
    from recfleet.record import Night


def audit_fleet_policy(connection: Connection, policy: Policy, night: Night) -> None:
    """Write an entry if the fleet's policy differs from the one in the last entry.

    Before the first entry, the policy in the code counts as the last one.

    Args:
        connection: an open connection; the caller commits.
        policy: the fleet's, by which tonight is planned.
        night: tonight.
    """
    with connection.cursor() as cursor:
        # Of two nights planned at once, only one writes the entry.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('recfleet fleet policy', 0))")
        cursor.execute(
            "select facts from history where kind = 'policy' and tenant_id is null "
            "order by audit_id desc limit 1"
        )
        last = cursor.fetchone()
    former = PolicyFacts.model_validate(last[0]).policy if last else None
    changes = changed_fields(former or {}, policy.model_dump(mode="json"))
    if not changes:
        return
    keys = ", ".join(changes)
    append_entries(
        connection,
        [
            Entry(
                kind="policy",
                tenant_id=None,
                actor=SCHEDULER,
                reason=f"the fleet's policy file has new values for {keys}",
                night_id=night.night_id,
                facts=PolicyFacts(changes=changes, policy=policy.model_dump(mode="json")),
            )
        ],
    )


def changed_fields(former: dict[str, Any], now: dict[str, Any]) -> dict[str, FieldChange]:
    """Key -> old and new value, for all fields that differ.

    Args:
        former: a policy, perhaps of an older release; fields that it lacks had the code's values.
        now: a whole policy.
    """
    before = flatten(Policy().model_dump(mode="json")) | flatten(former)
    after = flatten(now)
    return {
        key: FieldChange(former=before[key], new=after[key])
        for key in after
        if before[key] != after[key]
    }
