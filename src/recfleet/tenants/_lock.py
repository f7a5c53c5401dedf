"""One writer a tenant at a time."""

from __future__ import annotations

from collections.abc import Iterable

from recfleet.database import Connection


def lock_tenants(connection: Connection, tenant_ids: Iterable[str]) -> None:
    """Keep everybody else from changing these tenants until the transaction ends.

    Whoever changes a tenant's mode, policy, champion or live release takes its lock first, before
    any other: a night that publishes, and a person who rolls back, freezes or approves by day. It
    is advisory, and keeps no reader out. The locks are taken in the tenants' order, so that two who
    want several cannot wait for one another.

    Args:
        connection: an open connection.
        tenant_ids: whom; they need not exist.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtextextended('publish ' || tenant_id, 0)) "
            "from (select unnest(%s::text[]) as tenant_id) as locked",
            (sorted(set(tenant_ids)),),
        )
