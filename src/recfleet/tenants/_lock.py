"""One writer per tenant at a time."""

from __future__ import annotations

from collections.abc import Iterable

from recfleet.database import Connection


def lock_tenants(connection: Connection, tenant_ids: Iterable[str]) -> None:
    """Keep everybody else from changing these tenants until the transaction ends.

    Every change of a tenant's mode, policy, champion or live release takes the tenant's lock before
    any other lock: a night that publishes, and a rollback, freeze or approval by day. The lock is
    advisory and does not block readers. Locks are taken in the tenants' order, so that two writers
    of several tenants never wait for each other.

    Args:
        connection: an open connection.
        tenant_ids: the tenants; they need not exist.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtextextended('publish ' || tenant_id, 0)) "
            "from (select unnest(%s::text[]) as tenant_id) as locked",
            (sorted(set(tenant_ids)),),
        )
