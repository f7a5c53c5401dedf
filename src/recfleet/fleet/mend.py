"""Bringing MLflow to what is on record where a change of champion never came to its end.

Postgres is the authority, and the ledger's intents say what was begun. A night moves MLflow's
aliases first (``promote``, ``rollback``): what of it never came on record is taken back. A person's
change is on record first (``follow``): where the aliases have not followed, they do now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from recfleet.database import Connection, transaction
from recfleet.errors import TenantError
from recfleet.fleet.aliases import point_aliases
from recfleet.fleet.rollbacks import take_back_rollback
from recfleet.registry import ArtifactStore, Registry
from recfleet.settings import Settings
from recfleet.tenants import lock_tenants

if TYPE_CHECKING:
    from recfleet.record.ledger import Night

log = structlog.get_logger(__name__)

# A promotion takes milliseconds; one that was begun so long ago is nobody's any more.
_ABANDONED = "1 hour"

# Another one that is under way points the aliases itself, or is taken back after it.
_UNDER_WAY = (
    "select exists (select from ledger where tenant_id = %s and night_id <> %s "
    "and intent ?| array['promote', 'rollback'] and updated_at >= now() - %s::interval)"
)


def take_back_promotions(connection: Connection, night: Night, settings: Settings) -> int:
    """Point MLflow's aliases at the champions on record where a change was begun and not done.

    Postgres is the authority: a change is done when it is in the ledger without an intent. Looks at
    this night, whose publishing is over, and at nights that nobody has gone on with.

    Returns:
        How many changes were brought to an end. MLflow is not imported when there are none.

    Raises:
        InfrastructureError: MLflow's database is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, tenant_id, intent from ledger "
            "where intent is not null and (night_id = %s or updated_at < now() - %s::interval) "
            "order by night_id, tenant_id",
            (night.night_id, _ABANDONED),
        )
        begun = cursor.fetchall()
    connection.commit()
    if not begun:
        return 0
    artifacts = ArtifactStore(settings.artifact_root, settings.artifact_endpoint_url)
    models = Registry(settings.mlflow_store_url, artifacts)
    return sum(_mend(connection, models, *row) for row in begun)


def _mend(
    connection: Connection, models: Registry, night_id: int, tenant_id: str, intent: dict[str, Any]
) -> bool:
    """Bring one change to its end; a tenant whose versions are gone keeps nobody else waiting."""
    try:
        with transaction(connection):
            lock_tenants(connection, [tenant_id])
            if "follow" in intent:
                if _is_under_way(connection, night_id, tenant_id):
                    return False
                _follow(connection, models, tenant_id, intent["follow"])
            elif "rollback" in intent:
                take_back_rollback(connection, models, tenant_id, intent["from_version"])
            else:
                _take_back(connection, models, tenant_id, intent["promote"])
            with connection.cursor() as cursor:
                cursor.execute(
                    "update ledger set intent = null where night_id = %s and tenant_id = %s",
                    (night_id, tenant_id),
                )
    except TenantError as error:
        log.error("MLflow cannot follow", tenant_id=tenant_id, reason=str(error))
        return False
    if "follow" not in intent:  # a person's change that MLflow follows is as it should be
        log.warning("change of champion taken back", tenant_id=tenant_id, night_id=night_id)
    return True


def _is_under_way(connection: Connection, night_id: int, tenant_id: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, (tenant_id, night_id, _ABANDONED))
        [(is_under_way,)] = cursor.fetchall()
    return bool(is_under_way)


def _follow(
    connection: Connection, models: Registry, tenant_id: str, marks: Mapping[str, Any]
) -> None:
    """Point the aliases, and write at the versions what became of them.

    Args:
        connection: an open connection, with the tenant's lock.
        models: MLflow.
        tenant_id: whose.
        marks: version -> tags.
    """
    point_aliases(connection, models, tenant_id)
    for version, tags in marks.items():
        models.mark_version(tenant_id, int(version), tags)


def _take_back(connection: Connection, models: Registry, tenant_id: str, run_id: str) -> None:
    orphans = [version for version in models.versions(tenant_id) if version.run_id == run_id]
    if not orphans:
        return  # It died before it had registered anything.
    point_aliases(connection, models, tenant_id)
    for orphan in orphans:
        models.mark_version(tenant_id, orphan.version, {"verdict": "not promoted"})
