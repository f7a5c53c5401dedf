"""What a rollback changes in MLflow, and how that is taken back when it never came to its end."""

from __future__ import annotations

from datetime import datetime

from recfleet.database import Connection
from recfleet.fleet.aliases import point_aliases
from recfleet.record.champions import get_champion
from recfleet.registry import Registry

_MARKS = ("rolled_back_at", "rolled_back_to", "rolled_back_why")


def roll_back_in_mlflow(
    models: Registry,
    tenant_id: str,
    *,
    from_version: int,
    to_version: int,
    at: datetime,
    reason: str,
) -> None:
    """Point the aliases at the earlier version, and mark the one that is rolled back from.

    Safe to repeat. There is no ``previous`` afterwards, so that nobody goes back to what was rolled
    back from.

    Args:
        models: MLflow's.
        tenant_id: whose.
        from_version: the champion until now.
        to_version: the champion from now on.
        at: the time that its lists are of.
        reason: in words.

    Raises:
        TenantError: one of the versions is not there.
        InfrastructureError: MLflow's database is away.
    """
    models.set_champion(tenant_id, version=to_version, previous=None)
    marks = dict(zip(_MARKS, (at, to_version, reason), strict=True))
    models.mark_version(tenant_id, from_version, {"verdict": "rolled back", **marks})


def take_back_rollback(
    connection: Connection, models: Registry, tenant_id: str, from_version: int
) -> None:
    """Make MLflow agree with the record again where a rollback was begun and not done.

    The mark stays on a version that was rolled back from in the end, by whomever, and is not in
    force again.

    Args:
        connection: an open connection.
        models: MLflow's.
        tenant_id: whose.
        from_version: the version that was to be rolled back from.

    Raises:
        TenantError: one of the versions is not there.
        InfrastructureError: MLflow's database is away.
    """
    point_aliases(connection, models, tenant_id)
    champion = get_champion(connection, tenant_id)
    is_in_force = champion is not None and champion.version == from_version
    if is_in_force or not _was_rolled_back(connection, tenant_id, from_version):
        models.mark_version(tenant_id, from_version, {"verdict": "promote"})
        models.unmark_version(tenant_id, from_version, _MARKS)


def _was_rolled_back(connection: Connection, tenant_id: str, version: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from promotion "
            "where tenant_id = %s and kind = 'rollback' and from_version = %s)",
            (tenant_id, version),
        )
        [(found,)] = cursor.fetchall()
    return bool(found)
