"""What each kind of intent means for MLflow: carry it out, take it back, or follow it.

Postgres is the authority, and the ledger's intents say what was begun. A night moves MLflow's
aliases first (``Promote``, ``RollBack``); a move that never came on record is taken back. A
person's change is on record first (``Follow``); aliases that lag behind are moved after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from recfleet.database import Connection, transaction
from recfleet.errors import TenantError
from recfleet.record import (
    Begun,
    Follow,
    Intent,
    Night,
    Promote,
    RollBack,
    Step,
    begun_changes,
    clear_intent,
    get_champion,
    is_change_under_way,
    record_steps,
    was_rolled_back,
)
from recfleet.registry import Promotion, Registry, open_registry
from recfleet.settings import RegistrySettings
from recfleet.tenants import lock_tenants

log = structlog.get_logger(__name__)

_MARKS = ("rolled_back_at", "rolled_back_to", "rolled_back_why")


def mend_intents(connection: Connection, night: Night, settings: RegistrySettings) -> int:
    """Bring MLflow to what is on record after changes of champion that were begun and not finished.

    A change is finished when the ledger has no intent for it any more. The call looks at this
    night, whose publishing is over, and at abandoned nights.

    Returns:
        How many changes were ended. MLflow is imported only if there are some.

    Raises:
        InfrastructureError: MLflow's database is away.
    """
    begun = begun_changes(connection, night)
    connection.commit()
    if not begun:
        return 0
    models = open_registry(settings)
    return sum(_mend(connection, models, change) for change in begun)


def _mend(connection: Connection, models: Registry, begun: Begun) -> bool:
    """End one change; a tenant with missing versions does not hold up the others."""
    tenant_id = begun.tenant_id
    try:
        with transaction(connection):
            lock_tenants(connection, [tenant_id])
            match begun.intent:
                case Promote() as intent:
                    take_back_promotion(connection, models, tenant_id, intent)
                case RollBack() as intent:
                    take_back_rollback(connection, models, tenant_id, intent)
                case Follow() as intent:
                    # Another change under way points the aliases itself, or is taken back
                    # later.
                    if is_change_under_way(connection, tenant_id, besides=begun.night_id):
                        return False
                    follow(connection, models, tenant_id, intent)
            clear_intent(connection, begun)
    except TenantError as error:
        log.error("MLflow cannot follow", tenant_id=tenant_id, reason=str(error))
        return False
    if not isinstance(begun.intent, Follow):  # MLflow is meant to follow a person's change
        log.warning("change of champion taken back", tenant_id=tenant_id, night_id=begun.night_id)
    return True


def write_intents(connection: Connection, night: Night, intents: Mapping[str, Intent]) -> None:
    """Commit what is about to be done in MLflow, so that it can be finished or taken back.

    Args:
        connection: an open connection.
        night: the night that is about to do it.
        intents: tenant id -> what it is about to do.

    Raises:
        InfrastructureError: another process has taken over a tenant's night.
    """
    begun: list[tuple[str, Step, Mapping[str, float]]] = [
        (tenant_id, Step("judged", {"intent": intent}), {}) for tenant_id, intent in intents.items()
    ]
    record_steps(connection, night, begun, was="judged")
    connection.commit()


# --- Promote --------------------------------------------------------------------------------------


def carry_out_promotions(
    connection: Connection, night: Night, models: Registry, promotions: Sequence[Promotion]
) -> list[int]:
    """Register challengers as versions, and point the aliases at the models in force, intent first.

    Safe to repeat; commits the intents.

    Args:
        connection: an open connection.
        night: the night that promotes.
        models: MLflow's.
        promotions: one for each tenant.

    Returns:
        Their versions, in the same order.

    Raises:
        TenantError: the champion until then is missing in MLflow; nothing has been changed.
        InfrastructureError: MLflow's database is away.
    """
    write_intents(
        connection,
        night,
        {
            item.tenant_id: Promote(run_id=item.run_id, from_version=item.previous)
            for item in promotions
        },
    )
    return models.promote(promotions)


def take_back_promotion(
    connection: Connection, models: Registry, tenant_id: str, intent: Promote
) -> None:
    """Make MLflow agree with the record after a promotion that was begun and not finished.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow's.
        tenant_id: the tenant's.
        intent: what was begun.

    Raises:
        TenantError: MLflow lacks one of the versions.
        InfrastructureError: MLflow's database is away.
    """
    orphans = [item for item in models.versions(tenant_id) if item.run_id == intent.run_id]
    if not orphans:
        return  # The night died before it registered anything.
    point_aliases(connection, models, tenant_id)
    for orphan in orphans:
        models.mark_version(tenant_id, orphan.version, {"verdict": "not promoted"})


# --- Roll back ------------------------------------------------------------------------------------


def carry_out_rollbacks(
    connection: Connection,
    night: Night,
    models: Registry,
    rollbacks: Mapping[str, RollBack],
    reasons: Mapping[str, str],
) -> None:
    """Point the aliases at earlier versions, and mark the champions until then, intent first.

    Safe to repeat; commits the intents. Afterwards there is no ``previous``, so nobody can return
    to the replaced version.

    Args:
        connection: an open connection.
        night: the night that rolls back.
        models: MLflow's.
        rollbacks: tenant id -> from which version to which.
        reasons: tenant id -> why, in words.

    Raises:
        TenantError: MLflow lacks one of the versions.
        InfrastructureError: MLflow's database is away.
    """
    write_intents(connection, night, rollbacks)
    for tenant_id, intent in rollbacks.items():
        models.set_champion(tenant_id, version=intent.version, previous=None)
        why = (night.as_of, intent.version, reasons[tenant_id])
        marks = dict(zip(_MARKS, why, strict=True))
        models.mark_version(tenant_id, intent.from_version, {"verdict": "rolled back", **marks})


def take_back_rollback(
    connection: Connection, models: Registry, tenant_id: str, intent: RollBack
) -> None:
    """Make MLflow agree with the record after a rollback that was begun and not finished.

    The version keeps its mark if some other rollback has replaced it after all, and it is not in
    force again.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow's.
        tenant_id: the tenant's.
        intent: what was begun.

    Raises:
        TenantError: MLflow lacks one of the versions.
        InfrastructureError: MLflow's database is away.
    """
    left = intent.from_version
    point_aliases(connection, models, tenant_id)
    champion = get_champion(connection, tenant_id)
    is_in_force = champion is not None and champion.version == left
    if is_in_force or not was_rolled_back(connection, tenant_id, left):
        models.mark_version(tenant_id, left, {"verdict": "promote"})
        models.unmark_version(tenant_id, left, _MARKS)


# --- Follow ---------------------------------------------------------------------------------------


def follow(connection: Connection, models: Registry, tenant_id: str, intent: Follow) -> None:
    """Point the aliases, and write at the versions what became of them; safe to repeat.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow's.
        tenant_id: the tenant's.
        intent: names the versions and what to write at them.

    Raises:
        TenantError: MLflow has no such version.
        InfrastructureError: MLflow's database is away.
    """
    point_aliases(connection, models, tenant_id)
    for version, tags in intent.marks.items():
        models.mark_version(tenant_id, version, tags)


def point_aliases(connection: Connection, models: Registry, tenant_id: str) -> None:
    """Point a tenant's aliases at its champion and previous on record; safe to repeat.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow's.
        tenant_id: the tenant's.

    Raises:
        TenantError: MLflow has no such version.
        InfrastructureError: MLflow's database is away.
    """
    champion = get_champion(connection, tenant_id)
    previous = get_champion(connection, tenant_id, "previous")
    models.set_champion(
        tenant_id,
        version=champion.version if champion else None,
        previous=previous.version if previous else None,
    )
