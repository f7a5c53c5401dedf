"""Read the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import RealDictCursor

from recfleet.audit._facts import Facts, read_facts
from recfleet.database import Connection
from recfleet.judging import Numbers

_COLUMNS = (
    "audit_id, happened_at, tenant_id, night_id, kind, from_version, to_version, numbers, facts, "
    "actor, reason, hash"
)


@dataclass(frozen=True)
class OnRecord:
    """One entry of the audit."""

    audit_id: int
    """Counts from 1 over all tenants' entries."""
    happened_at: datetime
    tenant_id: str | None
    """None: the entry is about the fleet."""
    night_id: int | None
    kind: str
    from_version: int | None
    to_version: int | None
    numbers: Numbers
    """The judge's numbers for every contender."""
    facts: Facts
    """The other facts of the kind, as its type."""
    actor: str
    reason: str
    hash: str


def read_entries(
    connection: Connection, tenant_id: str | None = None, *, limit: int | None = None
) -> list[OnRecord]:
    """Entries in the order in which they happened; the caller ends the transaction.

    Args:
        connection: an open connection.
        tenant_id: only this tenant's; by default all entries, also those about the fleet.
        limit: only this many of the latest; by default all.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            f"select {_COLUMNS} from audit "  # noqa: S608
            "where %(tenant)s::text is null or tenant_id = %(tenant)s "
            "order by audit_id desc limit %(limit)s",
            {"tenant": tenant_id, "limit": limit},
        )
        return [_on_record(row) for row in cursor][::-1]


def _on_record(row: dict[str, Any]) -> OnRecord:
    return OnRecord(
        **{
            **row,
            "numbers": Numbers.model_validate(row["numbers"]),
            "facts": read_facts(row["kind"], row["facts"]),
        }
    )
