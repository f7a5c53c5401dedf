"""Taking back what a promotion that never came to its end has left in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from recfleet.database import transaction
from recfleet.fleet.champions import get_champion
from recfleet.registry import ArtifactStore, Registry
from recfleet.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from recfleet.fleet.ledger import Night

log = structlog.get_logger(__name__)

# A promotion takes milliseconds; one that was begun so long ago is nobody's any more.
_ABANDONED = "1 hour"


def take_back_promotions(connection: Connection, night: Night, settings: Settings) -> int:
    """Point MLflow's aliases at the champions on record where a promotion was begun and not done.

    Postgres is the authority: a promotion is done when it is in the ledger without an intent. Looks
    at this night, whose publishing is over, and at nights that nobody has gone on with.

    Returns:
        How many promotions were taken back. MLflow is not imported when there are none.

    Raises:
        InfrastructureError: MLflow's database is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, tenant_id, intent ->> 'promote' from ledger "
            "where intent is not null and (night_id = %s or updated_at < now() - %s::interval)",
            (night.night_id, _ABANDONED),
        )
        begun = cursor.fetchall()
    connection.commit()
    if not begun:
        return 0
    artifacts = ArtifactStore(settings.artifact_root, settings.artifact_endpoint_url)
    models = Registry(settings.mlflow_store_url, artifacts)
    for night_id, tenant_id, run_id in begun:
        with transaction(connection):
            _take_back(connection, models, tenant_id, run_id)
            with connection.cursor() as cursor:
                cursor.execute(
                    "update ledger set intent = null where night_id = %s and tenant_id = %s",
                    (night_id, tenant_id),
                )
        log.warning("promotion taken back", tenant_id=tenant_id, run_id=run_id)
    return len(begun)


def _take_back(connection: Connection, models: Registry, tenant_id: str, run_id: str) -> None:
    orphans = [version for version in models.versions(tenant_id) if version.run_id == run_id]
    if not orphans:
        return  # It died before it had registered anything.
    champion = get_champion(connection, tenant_id)
    previous = get_champion(connection, tenant_id, "previous")
    models.set_champion(
        tenant_id,
        version=champion.version if champion else None,
        previous=previous.version if previous else None,
    )
    for orphan in orphans:
        models.mark_version(tenant_id, orphan.version, {"verdict": "not promoted"})
