"""Reading unusable lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.database import Connection


@dataclass(frozen=True)
class UnusableCount:
    """How many of a tenant's lines are unusable for one reason."""

    tenant_id: str
    reason: str
    lines: int


@dataclass(frozen=True)
class UnusableLine:
    """A line as it was delivered."""

    placed_at: datetime | None
    """Its own time or that of the usable line before it; None if neither is known."""
    reason: str
    line: dict[str, Any]
    """Column -> text; for a line that could not be split into cells, ``line`` -> text."""
    source: str | None
    """The file that it came from."""


def count_unusable(connection: Connection) -> list[UnusableCount]:
    """Counts of all tenants' unusable lines by reason, the highest first within a tenant."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, reason, count(*) from unusable_line "
            "group by tenant_id, reason order by tenant_id, count(*) desc, reason"
        )
        return [UnusableCount(*row) for row in cursor]


def read_unusable(
    connection: Connection, tenant_id: str, *, reason: str | None = None, limit: int
) -> list[UnusableLine]:
    """The newest of a tenant's unusable lines.

    Args:
        connection: an open connection.
        tenant_id: the tenant; NO_TENANT for lines without a known tenant.
        reason: only lines with this reason.
        limit: most lines to return.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select placed_at, reason, line, source from unusable_line "
            "left join ingest using (ingest_id) "
            "where tenant_id = %s and (%s is null or reason = %s) "
            "order by placed_at desc nulls last, line_hash limit %s",
            (tenant_id, reason, reason, limit),
        )
        return [UnusableLine(*row) for row in cursor]
