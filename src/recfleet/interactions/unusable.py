"""Looking at the lines that could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.database import Connection


@dataclass(frozen=True)
class UnusableCount:
    """How many lines of a tenant have a reason."""

    tenant_id: str
    reason: str
    lines: int


@dataclass(frozen=True)
class UnusableLine:
    """A line as it came."""

    placed_at: datetime | None
    """Its own time or that of the usable line before it; None: neither is known."""
    reason: str
    line: dict[str, Any]
    """Column -> text; of a line that is not cells, ``line`` -> text."""
    source: str | None
    """The file that it is from."""


def count_unusable(connection: Connection) -> list[UnusableCount]:
    """All tenants' unusable lines by reason, most first within a tenant."""
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
        tenant_id: whose; NO_TENANT for lines of nobody known.
        reason: only lines with this one.
        limit: at most so many.
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
