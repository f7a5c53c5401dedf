"""The live release: the one that a tenant's readers see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from recfleet.database import Connection


def live_as_of(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, datetime]:
    """Tenant id -> as-of time of its live release, for those of these tenants that have one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select live_release.tenant_id, release.as_of from live_release "
            "join release using (release_id, night_id) where live_release.tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def count_served(connection: Connection) -> dict[str, int]:
    """What made the live lists (a model, habit without one, popularity) -> tenants."""
    with connection.cursor() as cursor:
        cursor.execute("select served_by, count(*) from live group by served_by")
        return dict(cursor.fetchall())
