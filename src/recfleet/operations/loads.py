"""Take loads of files back, with an entry of the audit for each tenant."""

from __future__ import annotations

from recfleet.audit import Entry, LoadFacts, append_entries, check_who_and_why
from recfleet.database import Connection
from recfleet.interactions import NO_TENANT, get_ingest, undo_ingest
from recfleet.tenants import lock_tenants


def undo_load(
    connection: Connection, ingest_id: int, *, actor: str, reason: str
) -> dict[str, dict[str, int]]:
    """Take back what a load added; the caller commits, and the next nights see the change.

    Args:
        connection: an open connection.
        ingest_id: the load.
        actor: who does it.
        reason: why.

    Returns:
        Tenant id -> what was deleted -> how many.

    Raises:
        BadInputError: the actor or the reason is missing, or the load was taken back already or
            cannot be.
        NotFoundError: there is no such load.
    """
    actor, reason = check_who_and_why(actor, reason)
    load = get_ingest(connection, ingest_id)
    lock_tenants(connection, load.tenant_ids)
    gone = undo_ingest(connection, ingest_id, actor=actor, reason=reason)
    append_entries(
        connection,
        [
            Entry(
                "load undone",
                None if tenant_id == NO_TENANT else tenant_id,
                actor,
                reason,
                facts=LoadFacts(ingest_id=ingest_id, source=load.source, rows=rows),
            )
            for tenant_id, rows in sorted(gone.items())
        ],
    )
    return gone
