"""The champions on record: which model of a tenant is in force, and which was before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


@dataclass(frozen=True)
class Champion:
    """A model in force, or the one before it."""

    version: int
    run_id: str
    model_uri: str
    train_end: datetime


def get_champion(connection: Connection, tenant_id: str, role: str = "champion") -> Champion | None:
    """The tenant's champion (or ``previous``), or None before its first model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select version, run_id, model_uri, train_end from champion "
            "where tenant_id = %s and role = %s",
            (tenant_id, role),
        )
        row = cursor.fetchone()
    return None if row is None else Champion(*row)


def crown(
    connection: Connection,
    *,
    tenant_id: str,
    night_id: int,
    winner: Champion,
    numbers: Mapping[str, Any],
    reason: str,
    actor: str,
) -> None:
    """Make a model the champion on record, the one before it previous, and write the history.

    The caller commits, in one transaction with the switch of the release. A second call for the
    same night changes nothing.
    """
    former = get_champion(connection, tenant_id)
    if former is not None and former.version == winner.version:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from champion where tenant_id = %s and role = 'previous'", (tenant_id,)
        )
        cursor.execute(
            "update champion set role = 'previous' where tenant_id = %s and role = 'champion'",
            (tenant_id,),
        )
        cursor.execute(
            "insert into champion "
            "(tenant_id, role, version, run_id, model_uri, train_end, night_id) "
            "values (%s, 'champion', %s, %s, %s, %s, %s)",
            (
                tenant_id,
                winner.version,
                winner.run_id,
                winner.model_uri,
                winner.train_end,
                night_id,
            ),
        )
        cursor.execute(
            "insert into promotion (tenant_id, night_id, kind, from_version, to_version, numbers, "
            "reason, actor) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                tenant_id,
                night_id,
                "first model" if former is None else "promotion",
                None if former is None else former.version,
                winner.version,
                json.dumps(numbers),
                reason,
                actor,
            ),
        )
