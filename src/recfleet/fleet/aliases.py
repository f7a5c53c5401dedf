"""Pointing MLflow's aliases at the champions on record."""

from __future__ import annotations

from recfleet.database import Connection
from recfleet.record.champions import get_champion
from recfleet.registry import Registry


def point_aliases(connection: Connection, models: Registry, tenant_id: str) -> None:
    """Point a tenant's aliases at its champion and previous on record; safe to repeat.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow's.
        tenant_id: whose.

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
