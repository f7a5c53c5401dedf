"""Write to the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from psycopg2.extras import execute_values

from recfleet.audit._facts import Facts
from recfleet.database import Connection
from recfleet.judging import Numbers

Kind = Literal[
    "first model",
    "promotion",
    "rollback",
    "mode",
    "policy",
    "awaiting approval",
    "approved",
    "rejected",
    "expired",
    "overtaken",
    "backfill",
    "repair",
    "deletion",
    "analyst",
    "key",
    "load undone",
    "feed",
    "experiment",
    "customer forgotten",
]


SCHEDULER = "scheduler"
"""The actor of everything that no person did."""


@dataclass(frozen=True)
class Entry:
    """One thing that was changed or decided."""

    kind: Kind
    tenant_id: str | None
    """The tenant; None: the entry is about the fleet."""
    actor: str
    """Who did it: SCHEDULER, or a person's name."""
    reason: str
    """In words."""
    night_id: int | None = None
    from_version: int | None = None
    """For a change of champion: the old champion's version, if there was one."""
    to_version: int | None = None
    """For a change of champion: the new champion's version."""
    numbers: Numbers = field(default_factory=Numbers)
    """The judge's numbers."""
    facts: Facts = field(default_factory=Facts)
    """The other facts of the kind, as its type."""


def append_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write entries, in their order; the caller commits.

    Lock the tenants that you change first (``tenants.lock_tenants``). The chain has a lock of its
    own, which is held until the caller commits and must be the last one taken.

    Args:
        connection: an open connection.
        entries: what happened.
    """
    if not entries:
        return
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            "insert into audit (tenant_id, night_id, kind, from_version, to_version, numbers, "
            "facts, actor, reason) values %s",
            [
                (
                    entry.tenant_id,
                    entry.night_id,
                    entry.kind,
                    entry.from_version,
                    entry.to_version,
                    entry.numbers.text(),
                    entry.facts.text(),
                    entry.actor,
                    entry.reason,
                )
                for entry in entries
            ],
            page_size=len(entries),
        )
